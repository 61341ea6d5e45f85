#!/usr/bin/env bash
# Unsafe code and data races: Miri, ThreadSanitizer and AddressSanitizer on tests/models, or the lanes that are named:
# scripts/sanitize.sh [miri] [thread] [address].
#
# A nightly toolchain with `miri` and `rust-src` runs all of it. Without `rust-src` the sanitizers run on the stable toolchain, whose
# standard library is not built with them: what they leave unseen then are races and bad accesses inside of it. Without `miri`
# its lane is left out, unless it is asked for by name.
set -euo pipefail
cd "$(dirname "$0")/../tests/models"
export CARGO_TARGET_DIR=../../target/models
host=$(rustc -vV | sed -n 's/^host: //p')

main() {
  if [ $# -eq 0 ]; then
    if has_miri; then miri; else echo '== miri is left out: rustup toolchain install nightly --component miri --component rust-src'; fi
    set -- thread address
  fi
  for lane in "$@"; do
    case $lane in
      miri) miri ;;
      thread | address) sanitizer "$lane" ;;
      *)
        echo "no lane $lane; there are miri, thread and address" >&2
        exit 2
        ;;
    esac
  done
}

has_miri() { cargo +nightly miri --version >/dev/null 2>&1 && has_std_sources; }

has_std_sources() { [ -d "$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]; }

miri() {
  if ! has_miri; then
    echo 'miri is missing: rustup toolchain install nightly --component miri --component rust-src' >&2
    exit 1
  fi
  echo '== miri'
  cargo +nightly miri test --quiet --test threads
}

sanitizer() {
  export TSAN_OPTIONS="suppressions=$PWD/tsan.supp ${TSAN_OPTIONS:-}"
  if has_std_sources; then
    echo "== $1, the standard library with it"
    RUSTFLAGS="-Zsanitizer=$1" cargo +nightly test --quiet -Zbuild-std --target "$host" --test threads
  else
    echo "== $1, the standard library without it"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=$1 -Cunsafe-allow-abi-mismatch=sanitizer" \
      cargo test --quiet --target "$host" --test threads
  fi
}

main "$@"
