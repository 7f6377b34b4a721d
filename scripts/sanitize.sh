#!/usr/bin/env bash
# Runs tests under sanitizers, in a build of their own; LibTorch itself is not instrumented.
#   ./scripts/sanitize.sh address   AddressSanitizer and UndefinedBehaviorSanitizer (build/asan): inference and evaluation,
#                                   in the library, through the C interface and through the programs
#   ./scripts/sanitize.sh thread    ThreadSanitizer (build/tsan): what several threads share, and a folder through
#                                   leaf_infer and leaf_eval
#   ./scripts/sanitize.sh address 'Segmenter.*'   these tests alone
set -euo pipefail
source "$(dirname "$0")/common.sh"

# ThreadSanitizer wants memory at addresses that are not shuffled.
unshuffled() { setarch --addr-no-randomize "$@"; }

# run PROGRAM FILTER: one test program.
run() {
  say "$1"
  unshuffled "build/$preset/tests/$1" --gtest_filter="$2" --gtest_brief=1 ||
    die "$1 has findings; see above"
}

# run_all FILTER PROGRAM...
run_all() {
  local filter=$1 program
  shift
  configure
  cmake --build --preset "$preset" --target "$@" leaf_programs
  for program in "$@"; do
    unshuffled "build/$preset/tests/$program" --gtest_list_tests --gtest_filter="$filter"
  done | grep '^  ' >/dev/null || die "no test is called '$filter'"
  for program in "$@"; do
    run "$program" "$filter"
  done
}

# Infer.MemoryDoesNotGrow...: the sanitizer keeps what is freed. PythonExample: Python is built without it.
check_addresses() {
  preset=asan
  export ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}" UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}"
  run_all "${1:--Infer.MemoryDoesNotGrow*:PythonExample.*}" unit_metrics unit_pipeline c_interface cli_infer cli_volumes cli_eval cli_serve
}

# A folder through the programs: decoding, network and writing overlap, scores are taken by several threads.
check_folder() {
  local bin=build/tsan/bin work=build/tsan/folder
  rm -rf "$work"
  say "leaf_infer and leaf_eval"
  unshuffled "$bin/leaf_demo_data" --output "$work/data" --count 24 --size 64 &&
    unshuffled "$bin/leaf_convert" random --config tests/install/tiny.yaml --to "$work/model" --quiet &&
    unshuffled "$bin/leaf_infer" --model "$work/model" --input "$work/data/images" --output "$work/masks" \
      --batch-size 4 --overlays --probabilities --quiet &&
    unshuffled "$bin/leaf_eval" --predictions "$work/masks" --ground-truth "$work/data/masks" \
      --images "$work/data/images" --report --output "$work/scores" --quiet ||
    die "the programs have findings; see above"
}

check_threads() {
  preset=tsan
  # GCC's OpenMP waits in ways that the sanitizer does not see: see sanitize.supp.
  export OMP_NUM_THREADS=1
  export TSAN_OPTIONS="suppressions='$PWD/scripts/sanitize.supp' halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}"
  run_all "${1:-Segmenter.Threads*:Workers.*:Prefetcher.*:BatchQueue.*:SegmentQueue.*:CApi.TenThreads*}" \
    unit_core unit_pipeline c_interface
  [ -n "${1:-}" ] || check_folder
}

case ${1:-} in
  address) check_addresses "${2:-}" ;;
  thread) check_threads "${2:-}" ;;
  -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' "scripts/$script_name.sh"; exit 0 ;;
  *) die "name a sanitizer: address or thread; see scripts/sanitize.sh --help" ;;
esac
say "no findings"
