# What the scripts share; sourced by them. Changes to the project's folder.
for variable in LEAF_LIBTORCH LEAF_GOLDEN_DIR LEAF_DATA_DIR; do
  [ -z "${!variable:-}" ] || export "$variable=$(realpath -m "${!variable}")"
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
script_name=$(basename "$0" .sh)
preset=cpu

say() { echo "$script_name: $*"; }
die() { echo "$script_name: error: $*" >&2; exit 1; }

# require_packages PACKAGE...: installs the Debian packages that are missing.
require_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is neither Debian nor Ubuntu; install the counterparts of: $*"
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    die "missing packages; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# install_wheels LIST MACHINE FOLDER SIZE: unpacks the wheels of third_party/wheels-LIST.txt, made for MACHINE (x86_64,
# aarch64), into FOLDER. They are pinned by hash; the interpreter's own version does not matter, since nothing is imported
# from them: they are archives of headers and libraries. All lists but cuda, which completes another, begin anew.
install_wheels() {
  local target=$3 wheels=third_party/wheels-$1.txt stamp glibc platforms=()
  stamp="$target/.installed-$(sha256sum < "$wheels" | cut -c1-16)"
  [ -e "$stamp" ] && return
  say "downloading LibTorch ($4)"
  [ "$1" = cuda ] || rm -rf "$target"
  mkdir -p "$target"
  rm -rf "$target"/download.*  # of a call that was interrupted
  for glibc in _2_28 _2_27 _2_25 _2_18 _2_17 2014; do
    platforms+=(--platform "manylinux${glibc}_$2")
  done
  local download
  download=$(mktemp -d "$target/download.XXXXXX")
  /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --implementation cp --python-version 3.11 --no-cache-dir "${platforms[@]}" \
    --dest "$download" --requirement "$wheels" ||
    die "could not download LibTorch; set LEAF_LIBTORCH=/path/to/libtorch to use your own copy"
  local wheel
  for wheel in "$download"/*.whl; do
    /usr/bin/python3 -m zipfile --extract "$wheel" "$target"
  done
  rm -rf "$download"
  touch "$stamp"
}

# configure [OPTION...]: sets up what is missing and configures build/$preset. A new folder compiles many sources
# at once, which takes half as long from nothing; for work on the sources, -DCMAKE_UNITY_BUILD=OFF.
configure() {
  scripts/setup.sh
  mkdir -p build
  [ -e "build/$preset/CMakeCache.txt" ] || set -- -DCMAKE_UNITY_BUILD=ON "$@"
  # Everything is written under this folder; who already has a compiler cache keeps using it.
  if [ -z "${CCACHE_DIR:-}" ] && [ ! -d "${HOME:-/}/.cache/ccache" ] && [ ! -d "${HOME:-/}/.ccache" ]; then
    export CCACHE_DIR=$PWD/build/ccache
  fi
  # Stated each time: what another call said stays in the folder's cache.
  cmake --preset "$preset" "-DLEAF_LIBTORCH=${LEAF_LIBTORCH:-$PWD/third_party/libtorch/torch}" -DLEAF_WERROR=OFF \
    "$@" >build/configure.log 2>&1 ||
    { cat build/configure.log >&2; die "could not configure build/$preset; see above"; }
}

# build [--target NAME] [OPTION...]: configures and builds build/$preset; sets build_seconds.
build() {
  local start=$SECONDS target=()
  if [ "${1:-}" = --target ]; then
    target=(--target "$2")
    shift 2
  fi
  configure "$@"
  cmake --build --preset "$preset" "${target[@]}"
  build_seconds=$((SECONDS - start))
}

# copy_dicom_dictionary FOLDER: DCMTK looks for its dictionary where Debian puts it; programs in FOLDER/bin, where that
# is not there, in FOLDER/share/leaf.
copy_dicom_dictionary() {
  local dictionary
  mkdir -p "$1/share/leaf"
  dictionary=$(find /usr/share -maxdepth 2 -name dicom.dic | head -n 1)
  [ -n "$dictionary" ] || die "no dicom.dic of DCMTK in /usr/share"
  cp -L "$dictionary" "$1/share/leaf/dicom.dic"
}
