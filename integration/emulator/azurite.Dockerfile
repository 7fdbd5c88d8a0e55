# Built from this machine's own Node.js, with the libraries that it loads, and the
# packages that lie in the cache, so that no image registry is needed.
FROM scratch
COPY root /
ENV LD_LIBRARY_PATH=/lib/node
EXPOSE 10000
ENTRYPOINT ["/bin/node", "/azurite/node_modules/azurite/dist/src/blob/main.js"]
