#!/bin/sh
# The official image's entrypoint loads modules, which Debian does not have.
exec "$@"
