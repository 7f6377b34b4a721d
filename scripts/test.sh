#!/usr/bin/env bash
# Sets up, builds and runs every test. Arguments go to ctest: ./scripts/test.sh -R unit_data
#   CI=1              compiler warnings are errors
#   LEAF_GOLDEN_DIR   golden values (default: ../shared/golden), LEAF_DATA_DIR: data sets (default: ../shared/data);
#                     tests that want them are skipped where there are none
set -euo pipefail
source "$(dirname "$0")/common.sh"

[ -n "${LEAF_GOLDEN_DIR:-}" ] || [ ! -d ../shared/golden ] || export LEAF_GOLDEN_DIR=$PWD/../shared/golden
[ -n "${LEAF_DATA_DIR:-}" ] || [ ! -d ../shared/data ] || export LEAF_DATA_DIR=$PWD/../shared/data

options=()
[ -z "${CI:-}" ] || options+=(-DLEAF_WERROR=ON)
build -DLEAF_BUILD_TESTS=ON "${options[@]}"

say "built in $build_seconds s"
exec ctest --test-dir build/cpu -j2 --output-on-failure --no-tests=error "$@"
