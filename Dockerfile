# One image for every role: `docker run tollgate ingest`, `… aggregate`, `… api`.
# A glibc base, since uWebSockets.js and lz4-napi ship their native code for it; Alpine's musl does not fit.
FROM node:20-bookworm-slim AS build
WORKDIR /tollgate
COPY package.json package-lock.json ./
RUN npm install --no-save --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
# chDB is half a gigabyte that an image with CLICKHOUSE_URL does without. Optional packages as such must stay:
# lz4-napi's native code is one.
RUN npm run build && npm prune --omit=dev && rm -rf node_modules/chdb node_modules/@chdb

FROM node:20-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/var/lib/tollgate
WORKDIR /tollgate
COPY --from=build /tollgate/package.json ./
COPY --from=build /tollgate/node_modules ./node_modules
COPY --from=build /tollgate/dist ./dist
RUN install -d -o node -g node -m 0700 /var/lib/tollgate
USER node
VOLUME /var/lib/tollgate
EXPOSE 4000 4100
ENTRYPOINT ["node", "dist/main.js"]
