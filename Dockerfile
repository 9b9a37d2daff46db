# Conch on Node 24, linux/amd64.
#   docker build -t conch .
#   docker run --init -p 8000:8000 -p 8001:8001 -p 8002:8002 -v /path/to/models:/models:ro conch
# (--init, so that SIGTERM also ends a server that is still loading its models.)

# Debian 13: the binaries of uWebSockets.js need glibc 2.38.
FROM --platform=linux/amd64 node:24-trixie-slim AS build
WORKDIR /conch
ENV ONNXRUNTIME_NODE_INSTALL=skip
# The official uWebSockets.js, tag v20.58.0. Not tried here; to verify the commit:
#   git ls-remote https://github.com/uNetworking/uWebSockets.js refs/tags/v20.58.0
ARG UWS_COMMIT=ba110e817908b56c61d625b02f367b4ec9cfc8ab
ADD https://codeload.github.com/uNetworking/uWebSockets.js/tar.gz/${UWS_COMMIT} /tmp/uws.tar.gz
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
COPY workers ./workers
RUN npx tsc -p tsconfig.json --sourceMap false
RUN npm prune --omit=dev \
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d ! -path '*/linux/x64' -exec rm -rf {} + \
 && rm -rf node_modules/uWebSockets.js && mkdir node_modules/uWebSockets.js \
 && tar -xzf /tmp/uws.tar.gz -C node_modules/uWebSockets.js --strip-components=1 --wildcards --no-wildcards-match-slash \
      '*/package.json' '*/LICENSE' '*/uws.js' '*/uws_linux_x64_137.node'

FROM --platform=linux/amd64 node:24-trixie-slim
WORKDIR /conch
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY proto ./proto
COPY --from=build /conch/node_modules ./node_modules
COPY --from=build /conch/dist ./dist
USER node
# HTTP, gRPC, metrics; these listen where HTTP does.
EXPOSE 8000 8001 8002
HEALTHCHECK --start-period=60s --start-interval=1s CMD ["node", "-e", "fetch('http://127.0.0.1:8000/v2/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js", "serve", "--http-address=0.0.0.0", "--grpc-address=0.0.0.0"]
CMD ["--model-repository=/models"]
