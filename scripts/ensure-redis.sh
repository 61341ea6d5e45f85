#!/usr/bin/env bash
# Makes sure that redis-server is there: tests and `make demo REDIS=1` start servers of their own with it.
set -euo pipefail

command -v redis-server >/dev/null && exit 0

how_to() {
  cat >&2 <<'TEXT'
redis-server is missing and could not be installed from here. Install it, then run the command again:
  Debian, Ubuntu   sudo apt-get install redis-server
  Fedora, RHEL     sudo dnf install redis        (or: valkey valkey-compat-redis)
  Alpine           sudo apk add redis
  Arch             sudo pacman -S valkey         (it brings a redis-server command)
  macOS            brew install redis
  Windows          use WSL; Redis has no Windows build
Only the binary is needed; no service has to run.
TEXT
  exit 1
}

command -v apt-get >/dev/null || how_to

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || how_to
  as_root=(sudo -n)
fi

echo 'redis-server is missing: installing it with apt-get' >&2
# RUNLEVEL=1 keeps the package from starting a server as a service.
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --quiet --no-install-recommends redis-server </dev/null >&2
}
install || { "${as_root[@]}" apt-get update --quiet >&2 && install; } || how_to
command -v redis-server >/dev/null || how_to
