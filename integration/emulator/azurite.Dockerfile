# Installs from the lock file that lies beside it, like the native way does.
FROM node:22-alpine
WORKDIR /azurite
COPY . .
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund
EXPOSE 10000
ENTRYPOINT ["node", "node_modules/azurite/dist/src/blob/main.js"]
