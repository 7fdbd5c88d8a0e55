# fake-gcs-server in the version that the tests pin, from its Go module.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY emulator/fakegcs/go.mod emulator/fakegcs/go.sum ./
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o /fakegcs github.com/fsouza/fake-gcs-server
COPY compose/healthy/main.go ./
RUN CGO_ENABLED=0 go build -o /healthy main.go

FROM scratch
COPY --from=build /fakegcs /healthy /bin/
EXPOSE 4443
ENTRYPOINT ["/bin/fakegcs"]
