# MinIO publishes neither binaries nor images of its later releases; this builds the
# version that the tests pin, from its Go module. It takes minutes, once.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY emulator/minio/go.mod emulator/minio/go.sum ./
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o /minio github.com/minio/minio
COPY compose/healthy/main.go ./
RUN CGO_ENABLED=0 go build -o /healthy main.go

FROM scratch
COPY --from=build /minio /healthy /bin/
EXPOSE 9000
ENTRYPOINT ["/bin/minio"]
