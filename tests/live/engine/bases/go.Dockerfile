ARG DEBIAN
FROM $DEBIAN
RUN apt-get update \
    && apt-get install --yes --no-install-recommends golang-go \
    && rm -rf /var/lib/apt/lists/*
ENV GOPATH=/go \
    GOPROXY=off \
    GOTOOLCHAIN=local
