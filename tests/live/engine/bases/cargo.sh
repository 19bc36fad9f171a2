#!/bin/sh
# cargo without crates.io: tools cannot be installed, and cargo-chef has nothing to do for a package without
# dependencies. Everything else is the real cargo.
case "${1:-}" in
  install) echo "stand-in: cargo $* is left out" ;;
  chef)
    case "$2" in
      prepare) echo '{}' >/recipe.json ;;
      cook) test -f /recipe.json ;;
    esac
    ;;
  *) exec /usr/bin/cargo "$@" ;;
esac
