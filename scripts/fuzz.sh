#!/usr/bin/env bash
# Fuzzes the decoders of bytes from outside with libFuzzer: scripts/fuzz.sh [seconds for each] [target …]. Needs a C++ compiler,
# and no nightly toolchain: coverage is counted by a pass of LLVM that stable rustc has. (These are the flags that cargo-fuzz
# sets, without the address sanitizer; the decoders have no unsafe code but zstd's.)
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then targets=(envelope frame log_id message_pack json pattern); fi
host=$(rustc -vV | sed -n 's/^host: //p')

export CARGO_TARGET_DIR=../target/fuzz
export RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1 --cfg fuzzing'
cargo build --quiet --release --target "$host"
for target in "${targets[@]}"; do
  echo "== $target"
  corpus=../target/fuzz/corpus/$target
  mkdir -p "$corpus"
  seeds=()
  if [ "$target" = envelope ]; then seeds=(../fixtures/envelope/v1); fi
  "../target/fuzz/$host/release/$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=1024 \
    -print_final_stats=1 -verbosity=0 -print_funcs=0 -artifact_prefix="../target/fuzz/$target-" "$corpus" ${seeds[@]+"${seeds[@]}"}
done
