#!/usr/bin/env bash
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
# Tells Spring in its own words where the datastores are, then starts the program. What is set already stays.
set -euo pipefail

# %XX in a URL is a byte.
decoded() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

if [[ ${DATABASE_URL:-} =~ ^postgres(ql)?://(([^:@/]*)(:([^@/]*))?@)?(.+)$ ]]; then
  user=$(decoded "${BASH_REMATCH[3]}") password=$(decoded "${BASH_REMATCH[5]}") rest=${BASH_REMATCH[6]}
  export SPRING_DATASOURCE_URL=${SPRING_DATASOURCE_URL:-jdbc:postgresql://$rest}
  export SPRING_DATASOURCE_USERNAME=${SPRING_DATASOURCE_USERNAME:-$user}
  export SPRING_DATASOURCE_PASSWORD=${SPRING_DATASOURCE_PASSWORD:-$password}
fi
if [[ -n ${REDIS_URL:-} ]]; then
  export SPRING_DATA_REDIS_URL=${SPRING_DATA_REDIS_URL:-$REDIS_URL}
fi

exec "$@"
