#!/usr/bin/env bash
# Throws damaged files at the parsers of weights, configurations, model folders, tables and pictures, with libFuzzer under
# AddressSanitizer and UndefinedBehaviorSanitizer. The seeds are in tests/fuzz/seeds.
#   ./scripts/fuzz.sh                   every parser, 60 seconds each
#   ./scripts/fuzz.sh torch_zip         this one
#   ./scripts/fuzz.sh --seconds N       N seconds each
# What was learnt stays in build/fuzz/corpus. An input that breaks a parser is left in
# build/fuzz/findings, and the exit code is 1; build/fuzz/bin/fuzz_NAME FILE runs it again.
set -euo pipefail
source "$(dirname "$0")/common.sh"

seconds=60 names=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) [ $# -ge 2 ] || die "--seconds needs a number"; seconds=$2; shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' scripts/fuzz.sh; exit 0 ;;
    -*) die "unknown option '$1'; see scripts/fuzz.sh --help" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a whole number, not '$seconds'"
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(ls tests/fuzz/seeds)
for name in "${names[@]}"; do
  [ -d "tests/fuzz/seeds/$name" ] || die "no parser '$name'; there are: $(ls tests/fuzz/seeds | xargs)"
done

build_fuzzers() {
  require_packages clang-14 libclang-rt-14-dev
  preset=fuzz
  configure
  cmake --build --preset fuzz --target "${names[@]/#/fuzz_}"
}

# fuzz NAME: false when something was found.
fuzz() {
  local corpus=build/fuzz/corpus/$1 findings=build/fuzz/findings
  mkdir -p "$corpus" "$findings"
  say "$1, $seconds s"
  "build/fuzz/bin/fuzz_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="$findings/$1-" -print_final_stats=1 "$corpus" "tests/fuzz/seeds/$1" \
    >"build/fuzz/$1.log" 2>&1 || { tail -n 60 "build/fuzz/$1.log" >&2; return 1; }
  sed -n 's/^stat::number_of_executed_units: */  inputs: /p' "build/fuzz/$1.log"
}

build_fuzzers
broken=()
for name in "${names[@]}"; do
  fuzz "$name" || broken+=("$name")
done
[ ${#broken[@]} -eq 0 ] || die "broken: ${broken[*]}; the inputs are in build/fuzz/findings"
say "nothing found"
