#!/usr/bin/env bash
# Makes sure that libfaketime is there: the litmus cases in which a process' clock is stepped preload it.
set -euo pipefail

compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null && exit 0

without() {
  echo 'libfaketime is missing and could not be installed from here: the clock cases will say "not forced".' >&2
  echo 'Debian, Ubuntu: sudo apt-get install libfaketime' >&2
  exit 0
}

command -v apt-get >/dev/null || without

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || without
  as_root=(sudo -n)
fi

echo 'libfaketime is missing: installing it with apt-get' >&2
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends libfaketime </dev/null >&2
}
install || { "${as_root[@]}" apt-get update --quiet >&2 && install; } || without
