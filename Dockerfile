# The registry: a static binary, and the authorities that TLS trusts.
#
#	docker build -t blobdock .
#	docker run -p 127.0.0.1:5000:5000 -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY \
#		-e REGISTRY_STORAGE_BLOBDOCK_URL='s3://my-bucket/registry?region=eu-west-1' blobdock
#
# It serves /etc/blobdock/config.yml, a configuration of CNCF distribution, to be
# overridden by REGISTRY_* variables or replaced by a mount.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/blobdock ./integration/compose/healthy \
	&& mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/blobdock /out/healthy /bin/
COPY --from=build /src/cmd/blobdock/docker.yml /etc/blobdock/config.yml
COPY --from=build --chown=65532:65532 /out/data /var/lib/blobdock
USER 65532:65532
VOLUME /var/lib/blobdock
EXPOSE 5000
ENTRYPOINT ["/bin/blobdock"]
CMD ["serve", "/etc/blobdock/config.yml"]
