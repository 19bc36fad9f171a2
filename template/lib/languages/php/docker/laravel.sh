#!/bin/sh
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
# laravel COMMAND...: tells Laravel in its own words where the database is, and runs the command. What is set already
# stays. With `serve` as its first word, it first makes the folders that must be writable and caches the configuration:
# that depends on the environment, so it is done when a container starts and never while an image is built.
set -eu

if [ -n "${DATABASE_URL:-}" ]; then
  export DB_CONNECTION="${DB_CONNECTION:-pgsql}" DB_URL="${DB_URL:-$DATABASE_URL}"
fi
# A key of 32 bytes in hexadecimal digits, such as `trimtab env` writes, is a key too.
case ${APP_KEY:-} in
  *[!0-9a-f]*) ;;
  ????????????????????????????????????????????????????????????????)
    APP_KEY=$(php -r 'echo "base64:" . base64_encode(hex2bin(getenv("APP_KEY")));')
    export APP_KEY
    ;;
esac
if [ "${1:-}" = serve ]; then
  shift
  mkdir -p bootstrap/cache storage/app/public storage/framework/cache/data storage/framework/sessions \
    storage/framework/views storage/logs
  for cache in config event route view; do
    [ "$cache" = view ] && [ ! -d resources/views ] || php artisan "$cache:cache" --no-interaction
  done
fi

exec "$@"
