ARG DEBIAN
FROM $DEBIAN
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cargo rustc gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY cargo.sh /usr/local/cargo/bin/cargo
RUN chmod 0755 /usr/local/cargo/bin/cargo
ENV CARGO_HOME=/usr/local/cargo \
    CARGO_NET_OFFLINE=true \
    PATH=/usr/local/cargo/bin:$PATH
