ARG DEBIAN
FROM $DEBIAN
RUN apt-get update \
    && apt-get install --yes --no-install-recommends docker-registry \
    && rm -rf /var/lib/apt/lists/* \
    && printf '%s\n' 'version: 0.1' 'storage: {filesystem: {rootdirectory: /tmp/registry}}' 'http: {addr: ":5000"}' >/registry.yml
ENTRYPOINT ["docker-registry", "serve", "/registry.yml"]
