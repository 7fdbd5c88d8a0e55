# Built from the binary that lies beside it in the cache, so that no image
# registry is needed.
FROM scratch
COPY minio /minio
EXPOSE 9000
ENTRYPOINT ["/minio"]
