# What makes the buckets.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY integration/compose/setup integration/compose/setup
RUN CGO_ENABLED=0 go build -trimpath -o /setup ./integration/compose/setup

FROM scratch
COPY --from=build /setup /bin/
USER 65532:65532
ENTRYPOINT ["/bin/setup"]
