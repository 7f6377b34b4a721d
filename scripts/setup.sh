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

with_cuda=
case ${1:-} in
  "") ;;
  --cuda) with_cuda=yes ;;
  *) echo "usage: setup.sh [--cuda]" >&2; exit 2 ;;
esac
machine=$(uname -m)
[ -z "$with_cuda" ] || [ "$machine" = x86_64 ] || die "--cuda knows NVIDIA's libraries for x86-64 alone"
mapfile -t packages < third_party/apt-packages.txt
require_packages "${packages[@]}"
check_cmake
if [ -n "${LEAF_LIBTORCH:-}" ]; then
  [ -z "$with_cuda" ] || die "--cuda completes the LibTorch that this script fetches; LEAF_LIBTORCH names another"
  check_own_libtorch
else
  case $machine in
    x86_64) install_wheels cpu "$machine" third_party/libtorch "530 MB" ;;
    aarch64) install_wheels arm64 "$machine" third_party/libtorch "430 MB" ;;
    *) die "no LibTorch is pinned for $machine; set LEAF_LIBTORCH=/path/to/libtorch on this machine" ;;
  esac
  [ -z "$with_cuda" ] || install_wheels cuda "$machine" third_party/libtorch "NVIDIA's libraries, 2 GB"
fi
say "ready"
