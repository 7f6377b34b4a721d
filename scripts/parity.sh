#!/usr/bin/env bash
# Proves that foreign weights become the same networks here: makes networks with random weights in the Python
# packages that such files come from (diffusers, timm, transformers, open_clip), and compares what both make of one
# input. And that picture files are read as tifffile and Pillow read them.
#   ./scripts/parity.sh            pictures, small networks, and each network in its published size
#   ./scripts/parity.sh --small    pictures and the small networks alone
#   ./scripts/parity.sh --pictures pictures alone (60 MB of packages)
#   ./scripts/parity.sh --dicom    DICOM alone: files that pydicom wrote, and segmentations as pydicom, highdicom and,
#                                  where dicom3tools is installed, dciodvfy read them
#   ./scripts/parity.sh --volumes  NIfTI alone: masks of volumes in all 48 orientations as nibabel reads them
#   LEAF_PARITY_PYTHON   the Python that makes the virtual environment (default: python3, 3.11 or newer)
#   THREADS              of the Python side (default: one per core)
# The first call downloads the packages (6 GB; less where PIP_EXTRA_INDEX_URL names a place with PyTorch's CPU
# builds). Everything lands in build/parity. The published sizes take about 15 minutes, 12 GB of memory and 5 GB of disk,
# most of that for DINOv2's giant: one file at a time is made, checked and deleted.
set -euo pipefail
source "$(dirname "$0")/common.sh"

small_only= pictures_only= dicom_only= volumes_only=
while [ $# -gt 0 ]; do
  case $1 in
    --small) small_only=1 ;;
    --pictures) pictures_only=1 ;;
    --dicom) dicom_only=1 ;;
    --volumes) volumes_only=1 ;;
    -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' scripts/parity.sh; exit 0 ;;
    *) die "unknown option '$1'; see scripts/parity.sh --help" ;;
  esac
  shift
done
here=tests/parity work=$PWD/build/parity
venv=$work/venv python=$work/venv/bin/python
requirements=$work/requirements.txt
families=(timm transformers open_clip diffusers)
export HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1  # nothing is downloaded: all weights are random

install_packages() {
  cmp -s "$requirements" "$venv/installed.txt" && return
  say "installing the packages into $venv"
  mkdir -p "$work"
  [ -n "${LEAF_PARITY_PYTHON:-}" ] || require_packages python3-venv
  "${LEAF_PARITY_PYTHON:-python3}" -m venv "$venv" || die "no Python that makes virtual environments; set LEAF_PARITY_PYTHON"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

build_test() {
  configure -DLEAF_BUILD_TESTS=ON
  cmake --build --preset cpu --target parity_weights parity_pictures parity_dicom
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

check_pictures() {
  rm -rf "$work/pictures"
  "$python" $here/make_picture_fixtures.py "$work/pictures" >/dev/null &&
    LEAF_PARITY_PICTURES=$work/pictures build/cpu/tests/parity_pictures --gtest_brief=1
}

check_dicom() {
  local folder=$work/dicom
  rm -rf "$folder"
  "$python" $here/make_dicom_fixtures.py "$folder" --pydicom &&
    LEAF_PARITY_DICOM=$folder LEAF_DICOM_SEG=$folder/seg build/cpu/tests/parity_dicom --gtest_brief=1 &&
    "$python" $here/check_dicom_seg.py "$folder/seg"
}

check_volumes() {
  local folder=$work/volumes
  rm -rf "$folder"
  cmake --build --preset cpu --target leaf_infer leaf_convert &&
    build/cpu/bin/leaf_convert random --config tests/install/tiny.yaml --to "$folder/model" --quiet &&
    "$python" $here/check_volumes.py build/cpu/bin/leaf_infer "$folder/model" "$folder"
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

mkdir -p "$work"
if [ -n "$dicom_only" ]; then
  venv=$work/venv-dicom python=$work/venv-dicom/bin/python requirements=$here/dicom_requirements.txt
elif [ -n "$volumes_only" ]; then
  venv=$work/venv-volumes python=$work/venv-volumes/bin/python requirements=$here/volumes_requirements.txt
elif [ -n "$pictures_only" ]; then
  venv=$work/venv-pictures python=$work/venv-pictures/bin/python
  grep -E '^(imagecodecs|numpy|pillow|tifffile)=' $here/requirements.txt >"$requirements"
else
  cp $here/requirements.txt "$requirements"
fi
install_packages
build_test
if [ -n "$dicom_only" ]; then
  check_dicom || die "DICOM differs (the files are in $work/dicom)"
  say "all the same"
  exit 0
fi
if [ -n "$volumes_only" ]; then
  check_volumes || die "masks of volumes differ (the files are in $work/volumes)"
  say "all the same"
  exit 0
fi
broken=()
check_pictures || broken+=("pictures (the files are in $work/pictures)")
[ -n "$pictures_only" ] || check_small || broken+=("small networks (the files are in $work/small)")
if [ -z "$small_only$pictures_only" ]; then
  for family in "${families[@]}"; do
    names=$("$python" "$here/make_${family}_fixtures.py" --list)
    for name in $names; do
      check_published "$family" "$name" || broken+=("$name")
    done
  done
fi
[ ${#broken[@]} -eq 0 ] || die "not the same: $(IFS=,; echo "${broken[*]}")"
say "all the same"
