#!/usr/bin/env bash
# Proves that foreign weights become the same networks here: makes networks with random weights in the Python
# packages that such files come from (diffusers, timm, transformers, open_clip), and compares what both make of one
# input.
#   ./scripts/parity.sh            small networks, and each network in its published size
#   ./scripts/parity.sh --small    the small ones alone
#   LEAF_PARITY_PYTHON   the Python that makes the virtual environment (default: python3, 3.11 or newer)
#   THREADS              of the Python side (default: one per core)
# The first call downloads the packages (6 GB; less where PIP_EXTRA_INDEX_URL names a place with PyTorch's CPU
# builds). Everything lands in build/parity. The published sizes take about 15 minutes, 12 GB of memory and 5 GB of disk,
# most of that for DINOv2's giant: one file at a time is made, checked and deleted.
set -euo pipefail
source "$(dirname "$0")/common.sh"

small_only=
while [ $# -gt 0 ]; do
  case $1 in
    --small) small_only=1 ;;
    -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' scripts/parity.sh; exit 0 ;;
    *) die "unknown option '$1'; see scripts/parity.sh --help" ;;
  esac
  shift
done
here=tests/parity work=$PWD/build/parity
venv=$work/venv python=$work/venv/bin/python
families=(timm transformers open_clip diffusers)
export HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1  # nothing is downloaded: all weights are random

install_packages() {
  cmp -s $here/requirements.txt "$venv/installed.txt" && return
  say "installing the packages into $venv"
  mkdir -p "$work"
  "${LEAF_PARITY_PYTHON:-python3}" -m venv "$venv" || die "no Python that makes virtual environments; set LEAF_PARITY_PYTHON"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r $here/requirements.txt
  cp $here/requirements.txt "$venv/installed.txt"
}

build_test() {
  configure -DLEAF_BUILD_TESTS=ON
  cmake --build --preset cpu --target parity_weights
}

# make FAMILY FOLDER [OPTION...]: writes fixtures.
make() {
  local family=$1 folder=$2
  shift 2
  "$python" "$here/make_${family}_fixtures.py" "$folder" --threads "${THREADS:-$(nproc)}" "$@"
}

# check FOLDER: compares all fixtures in it; false when one differs.
check() {
  LEAF_PARITY_DIR=$1 build/cpu/tests/parity_weights --gtest_brief=1 \
    --gtest_filter=WeightsParityFresh.EveryFileOfTheFolder
}

check_small() {
  local family
  rm -rf "$work/small"
  for family in "${families[@]}"; do
    make "$family" "$work/small" >/dev/null || return 1
  done
  check "$work/small"
}

# check_published FAMILY NAME: one network in its published size.
check_published() {
  local result=0
  rm -rf "$work/published"
  make "$1" "$work/published" --published "$2" >/dev/null && check "$work/published" || result=1
  rm -rf "$work/published"
  return $result
}

install_packages
build_test
broken=()
check_small || broken+=("small networks (the files are in $work/small)")
if [ -z "$small_only" ]; then
  for family in "${families[@]}"; do
    names=$("$python" "$here/make_${family}_fixtures.py" --list)
    for name in $names; do
      check_published "$family" "$name" || broken+=("$name")
    done
  done
fi
[ ${#broken[@]} -eq 0 ] || die "not the same: $(IFS=,; echo "${broken[*]}")"
say "all the same"
