#!/usr/bin/env bash
# Runs the tests of what several threads share under ThreadSanitizer (preset tsan, build/tsan). Takes a build of the
# library and of three tests; arguments replace the tests' filter: ./scripts/tsan.sh 'Segmenter.*'
set -euo pipefail
source "$(dirname "$0")/common.sh"
preset=tsan

filter=${1:-Segmenter.Threads*:Workers.*:Prefetcher.*:BatchQueue.*:SegmentQueue.*:CApi.TenThreads*}
configure
programs=(unit_core unit_pipeline c_interface)
cmake --build --preset tsan --target "${programs[@]}"

# LibTorch is not instrumented, and GCC's OpenMP waits in ways that the sanitizer does not see: see tsan.supp.
export OMP_NUM_THREADS=1
export TSAN_OPTIONS="suppressions=$PWD/scripts/tsan.supp halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}"
for program in "${programs[@]}"; do
  say "$program"
  # The sanitizer's memory wants addresses that are not shuffled.
  setarch --addr-no-randomize build/tsan/tests/$program --gtest_filter="$filter" ||
    die "$program has findings; see above"
done
say "no findings"
