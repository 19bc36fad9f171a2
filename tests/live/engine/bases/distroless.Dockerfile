ARG DEBIAN
FROM $DEBIAN AS certificates
FROM scratch
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
WORKDIR /home/nonroot
USER 65532
