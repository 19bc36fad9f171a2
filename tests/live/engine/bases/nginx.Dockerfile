ARG DEBIAN
FROM $DEBIAN
RUN groupadd --gid 101 nginx && useradd --uid 101 --gid 101 nginx \
    && apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light wget \
    && rm -rf /var/lib/apt/lists/* /usr/share/nginx/html/* \
    && mkdir -p /usr/share/nginx/html
USER 101
CMD ["nginx", "-g", "daemon off;"]
