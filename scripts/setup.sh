#!/usr/bin/env bash
# Installs what leaf needs: Debian packages (apt) and LibTorch (third_party/libtorch, from pinned
# wheels). Safe to run again: what is already there is left alone.
#   LEAF_LIBTORCH=/path/to/libtorch   use that LibTorch instead of downloading one
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "setup: $*" >&2; exit 1; }

install_packages() {
  local missing=() package
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done < third_party/apt-packages.txt
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    die "missing packages; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The wheels are pinned by hash; the interpreter's own version does not matter, since nothing is
# imported from them: they are archives of headers and libraries.
install_libtorch() {
  local target=third_party/libtorch wheels=third_party/wheels-cpu.txt stamp
  stamp="$target/.installed-$(sha256sum < "$wheels" | cut -c1-16)"
  [ -e "$stamp" ] && return
  echo "setup: downloading LibTorch (530 MB)"
  rm -rf "$target"
  mkdir -p "$target"
  local download
  download=$(mktemp -d "$target/download.XXXXXX")
  /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --implementation cp --python-version 3.11 --no-cache-dir \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$download" --requirement "$wheels" ||
    die "could not download LibTorch; set LEAF_LIBTORCH=/path/to/libtorch to use your own copy"
  local wheel
  for wheel in "$download"/*.whl; do
    /usr/bin/python3 -m zipfile --extract "$wheel" "$target"
  done
  rm -rf "$download"
  touch "$stamp"
}

[ "$(uname -m)" = x86_64 ] || [ -n "${LEAF_LIBTORCH:-}" ] ||
  die "the pinned LibTorch is for x86-64; set LEAF_LIBTORCH=/path/to/libtorch on this machine"
install_packages
[ -n "${LEAF_LIBTORCH:-}" ] || install_libtorch
echo "setup: ready"
