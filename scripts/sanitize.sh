#!/usr/bin/env bash
# Unsafe code and data races: Miri and ThreadSanitizer on tests/models, AddressSanitizer on it, too. They need a nightly
# toolchain with `miri` and `rust-src`, and fail without; that is why they are no part of `make test`.
set -euo pipefail
cd "$(dirname "$0")/../tests/models"
export CARGO_TARGET_DIR=../../target/models
host=x86_64-unknown-linux-gnu

if ! cargo +nightly miri --version >/dev/null 2>&1 || ! rustup +nightly component list --installed 2>/dev/null | grep -q rust-src; then
  echo 'a nightly toolchain is missing: rustup toolchain install nightly --component miri --component rust-src' >&2
  exit 1
fi

for lane in "${@:-miri thread address}"; do
  for name in $lane; do
    echo "== $name"
    case $name in
      miri) cargo +nightly miri test --quiet --test threads ;;
      thread | address)
        # The standard library is built with it, too: else races inside of it are not seen, and others are seen wrongly.
        RUSTFLAGS="-Zsanitizer=$name" cargo +nightly test --quiet -Zbuild-std --target "$host" --test threads
        ;;
      *)
        echo "no lane $name; there are miri, thread and address" >&2
        exit 2
        ;;
    esac
  done
done
