# What GitHub's ubuntu-24.04 has of what the workflow calls, or gets by its setup actions: Debian's packages, and node
# and uv in their pinned versions.
ARG DEBIAN
ARG NODE
ARG UV
FROM $UV AS uv
FROM $NODE AS node
FROM $DEBIAN
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates cargo cosign curl docker-buildx docker-cli gcc git jq libatomic1 libc6-dev python3 python3-venv \
        rust-clippy rustfmt \
    && rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
COPY --from=uv /uv /usr/local/bin/uv
RUN printf '#!/bin/sh\nexec uv tool run "$@"\n' >/usr/local/bin/uvx && chmod 0755 /usr/local/bin/uvx
CMD ["sleep", "infinity"]
