# Installs from the lock file that lies beside it, like the native way does. It is
# for hosts whose own Node.js does not run in a container.
FROM node:22.20.0-alpine
WORKDIR /azurite
COPY . .
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund
EXPOSE 10000
ENTRYPOINT ["node", "node_modules/azurite/dist/src/blob/main.js"]
