#!/usr/bin/env bash
# Installs what leaf needs: Debian packages (apt) and LibTorch (third_party/libtorch, from pinned
# wheels). Safe to run again: what is already there is left alone, and nothing is downloaded.
#   --cuda                            also what LibTorch needs to use a GPU: NVIDIA's libraries
#   LEAF_LIBTORCH=/path/to/libtorch   use that LibTorch instead of downloading one
set -euo pipefail
source "$(dirname "$0")/common.sh"

check_own_libtorch() {
  [ -d "$LEAF_LIBTORCH/include/ATen" ] && [ -e "$LEAF_LIBTORCH/lib/libtorch_cpu.so" ] ||
    die "LEAF_LIBTORCH=$LEAF_LIBTORCH has no include/ATen and lib/libtorch_cpu.so; name an unpacked LibTorch"
}

# CMake 3.25 came with Debian 12 and Ubuntu 24.04.
check_cmake() {
  local version
  version=$(cmake --version | sed -n '1s/[^0-9]*//p')
  [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
    die "CMake $version is too old; leaf needs 3.25, which Debian 12 and Ubuntu 24.04 have"
}

# install_wheels LIST SIZE: unpacks the wheels of third_party/wheels-LIST.txt into third_party/libtorch. They are pinned
# by hash; the interpreter's own version does not matter, since nothing is imported from them: they are archives of
# headers and libraries.
install_wheels() {
  local target=third_party/libtorch wheels=third_party/wheels-$1.txt stamp
  stamp="$target/.installed-$(sha256sum < "$wheels" | cut -c1-16)"
  [ -e "$stamp" ] && return
  [ "$(uname -m)" = x86_64 ] ||
    die "the pinned LibTorch is for x86-64; set LEAF_LIBTORCH=/path/to/libtorch on this machine"
  say "downloading LibTorch ($2)"
  [ "$1" != cpu ] || rm -rf "$target"
  mkdir -p "$target"
  local download
  download=$(mktemp -d "$target/download.XXXXXX")
  /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --implementation cp --python-version 3.11 --no-cache-dir \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$download" --requirement "$wheels" ||
    die "could not download LibTorch; set LEAF_LIBTORCH=/path/to/libtorch to use your own copy"
  local wheel
  for wheel in "$download"/*.whl; do
    /usr/bin/python3 -m zipfile --extract "$wheel" "$target"
  done
  rm -rf "$download"
  touch "$stamp"
}

with_cuda=
case ${1:-} in
  "") ;;
  --cuda) with_cuda=yes ;;
  *) echo "usage: setup.sh [--cuda]" >&2; exit 2 ;;
esac
mapfile -t packages < third_party/apt-packages.txt
require_packages "${packages[@]}"
check_cmake
if [ -n "${LEAF_LIBTORCH:-}" ]; then
  [ -z "$with_cuda" ] || die "--cuda completes the LibTorch that this script fetches; LEAF_LIBTORCH names another"
  check_own_libtorch
else
  install_wheels cpu "530 MB"
  [ -z "$with_cuda" ] || install_wheels cuda "NVIDIA's libraries, 2 GB"
fi
say "ready"
