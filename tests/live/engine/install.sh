#!/bin/sh
# Installs what tests/live/platform needs, on Debian and as root: an engine, Compose and BuildKit for it, debootstrap.
# Debian 12 has no Compose v2, so the two plugins come from Debian 13; they are static programs.
set -eu

packages=''
command -v dockerd >/dev/null || packages="$packages docker.io iptables"
command -v debootstrap >/dev/null || packages="$packages debootstrap"
if [ -n "$packages" ]; then
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq $packages >/dev/null
fi

missing() { ! docker "$1" version >/dev/null 2>&1; }
if missing compose || missing buildx; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/archives/partial"
  apt-get update -qq
  # shellcheck disable=SC2016 # the format is apt's own language
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep --max-count=1 '/debian/$')
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources"
  options="-o Dir::Etc::sourcelist=$work/sources -o Dir::Etc::sourceparts=- -o Dir::State::lists=$work/lists"
  # shellcheck disable=SC2086 # a list of options
  (cd "$work" && apt-get $options update -qq && apt-get $options download -qq docker-compose docker-buildx)
  for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$work/root"; done
  mkdir -p /usr/local/lib/docker/cli-plugins
  cp "$work"/root/usr/libexec/docker/cli-plugins/* /usr/local/lib/docker/cli-plugins/
fi
docker compose version
docker buildx version
