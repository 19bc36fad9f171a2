#!/bin/sh
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
# Runs the build tool whose wrapper is there: the Dockerfiles' and the workflow's only way to Maven and Gradle.
#
#   build keep-manifests PATH   delete all but what the dependencies follow from (PATH is for messages)
#   build dependencies          download what the manifests name; the build itself fetches what this does not find
#   build package FILE          build the program, without its tests, into FILE
#   build lint | test           every check but the tests, or the tests
#   build run                   run from source, for development
set -eu

fail() {
  printf '\nbuild: %s\n\n' "$1" >&2
  exit 1
}

maven() { sh mvnw --batch-mode --no-transfer-progress "$@"; }
gradle() { sh gradlew --no-daemon --console=plain "$@"; }

# need_wrapper PATH
need_wrapper() {
  [ -f mvnw ] || [ -f gradlew ] ||
    fail "there is neither mvnw nor gradlew in $1: run \`mvn wrapper:wrapper\` or \`gradle wrapper\` there and commit it"
}

keep_manifests() {
  need_wrapper "$1"
  find . -type f ! -name pom.xml ! -name mvnw ! -path './.mvn/*' ! -name gradlew ! -path './gradle/*' ! -name '*.gradle' \
    ! -name '*.gradle.kts' ! -name gradle.properties ! -name '*.lockfile' ! -path './buildSrc/*' -delete
  find . -type d -empty -delete
}

# Modules that need each other cannot be resolved before they are built, so a failure here decides nothing.
dependencies() {
  if [ -f mvnw ]; then maven dependency:go-offline; else gradle dependencies; fi ||
    echo 'build: not every dependency was found yet' >&2
}

# The one archive that can be run. Others, such as plain classes, are not for running.
package() {
  if [ -f mvnw ]; then maven -DskipTests package; else gradle bootJar; fi
  find . -path '*/target/*.jar' -o -path '*/build/libs/*.jar' >/tmp/archives
  programs=''
  while read -r archive; do
    if jar --list --file "$archive" | grep '^BOOT-INF/' >/dev/null; then programs="$programs $archive"; fi
  done </tmp/archives
  case $programs in
    '') fail 'the build made no program that can be run: apply the plugin of Spring Boot' ;;
    ' '*' '*) fail "the build made more than one program:$programs" ;;
  esac
  cp "${programs# }" "$1"
}

lint() {
  need_wrapper "$PWD"
  if [ -f mvnw ]; then maven -DskipTests verify; else gradle check --exclude-task test; fi
}

tests() {
  need_wrapper "$PWD"
  if [ -f mvnw ]; then maven verify; else gradle test; fi
}

run() { if [ -f mvnw ]; then exec sh mvnw --batch-mode spring-boot:run; else exec sh gradlew --no-daemon bootRun; fi; }

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  keep-manifests) keep_manifests "$@" ;;
  dependencies | lint | run) "$command" ;;
  package) package "$@" ;;
  test) tests ;;
  *) fail "unknown command '$command'" ;;
esac
