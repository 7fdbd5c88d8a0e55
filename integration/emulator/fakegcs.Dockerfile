# Built from the binary that lies beside it in the cache, so that no image
# registry is needed.
FROM scratch
COPY fakegcs /fakegcs
EXPOSE 4443
ENTRYPOINT ["/fakegcs"]
