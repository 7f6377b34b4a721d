#!/usr/bin/env bash
# Packs leaf with all that it needs, LibTorch's CPU libraries included, for machines that have neither compilers nor
# any of its libraries: build/package/leaf-VERSION-linux-x86_64.tar.gz (on arm64: -aarch64), to unpack anywhere, and
# leaf_VERSION_amd64.deb (_arm64), which installs the same in /opt/leaf. No model is in them.
#   ./scripts/package.sh         builds and packs
#   ./scripts/package.sh --try   then unpacks the archive and installs the package in a bare Debian 12 (debootstrap; as
#                                root, with a network), segments pictures, DICOM files and a volume there, and compiles
#                                the example in C
set -euo pipefail
source "$(dirname "$0")/common.sh"

try=
case ${1:-} in
  "") ;;
  --try) try=1 ;;
  -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' scripts/package.sh; exit 0 ;;
  *) die "unknown option '$1'; see scripts/package.sh --help" ;;
esac

# What every Linux has, and what belongs to it alone.
is_of_the_system() { [[ $1 =~ /(ld-linux|libc|libm|libdl|librt|libpthread|libresolv|libutil)[.-] ]]; }

# closure FILE...: the shared libraries that these need, the system's left out.
closure() {
  local library
  ldd "$@" | sed -n 's#^.* => \(/.*\) (0x[0-9a-f]*)$#\1#p' | sort -u | while read -r library; do
    is_of_the_system "$library" || echo "$library"
  done
}

# Everything finds its libraries in lib/leaf, wherever the folder lies.
copy_libraries() {
  local stage=$1 file library
  mkdir -p "$stage/lib/leaf"
  closure "$stage"/bin/* "$stage"/lib/libleaf_c.so.*.*.* | xargs -d '\n' -I{} cp -L {} "$stage/lib/leaf/"
  strip --strip-unneeded "$stage"/lib/leaf/*
  for library in "$stage"/lib/leaf/*; do
    patchelf --set-rpath '$ORIGIN' "$library"
  done
  for file in "$stage"/bin/*; do
    patchelf --set-rpath '$ORIGIN/../lib/leaf' "$file"
  done
  patchelf --set-rpath '$ORIGIN/leaf' "$stage"/lib/libleaf_c.so.*.*.*
}

# The terms of what is packed: each Debian package's, and LibTorch's.
copy_licences() {
  local stage=$1 library package
  mkdir -p "$stage/share/licenses"
  cp LICENSE "$stage/share/licenses/leaf"
  for library in "$stage"/lib/leaf/*; do  # LibTorch's are no package's
    package=$(dpkg-query -S "*/$(basename "$library")" 2>/dev/null | sed -n '1s/:.*//p' || true)
    [ -z "$package" ] || cp -L "/usr/share/doc/$package/copyright" "$stage/share/licenses/$package"
  done
  { find "$(dirname "${LEAF_LIBTORCH:-third_party/libtorch/torch}")" -maxdepth 3 \
    \( -path '*/torch-*.dist-info/*' -o -path '*/nvidia*.dist-info/*' \) \
    \( -name 'LICENSE*' -o -name 'NOTICE*' \) -type f 2>/dev/null || true; } |
    while read -r file; do
      cp "$file" "$stage/share/licenses/libtorch-$(basename "$(dirname "$file")" | cut -d- -f1)-$(basename "$file")"
    done
  # An unpacked LibTorch of one's own may come without.
  [ -n "${LEAF_LIBTORCH:-}" ] || compgen -G "$stage/share/licenses/libtorch-*" >/dev/null ||
    die "no terms of LibTorch in third_party/libtorch"
}

make_stage() {
  local stage=$1
  rm -rf "$stage"
  cmake --install build/cpu --prefix "$PWD/$stage" --strip >build/package/install.log
  copy_libraries "$stage"
  copy_licences "$stage"
  copy_dicom_dictionary "$stage"
  cp -r configs docs README.md CHANGELOG.md "$stage/share/leaf/"
}

# make_deb STAGE VERSION PACKAGE: links in /usr/bin to /opt/leaf/bin.
make_deb() {
  local stage=$1 version=$2 package=$3 root=build/package/deb program
  rm -rf "$root"
  mkdir -p "$root/DEBIAN" "$root/opt" "$root/usr/bin"
  cp -al "$stage" "$root/opt/leaf"
  for program in "$stage"/bin/*; do
    ln -s "/opt/leaf/bin/$(basename "$program")" "$root/usr/bin/"
  done
  cat >"$root/DEBIAN/control" <<END
Package: leaf
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: leaf <leaf@localhost>
Depends: libc6 (>= $(ldd --version | sed -n '1s/.* //p'))
Section: science
Priority: optional
Installed-Size: $(du -sk "$stage" | cut -f1)
Description: Single-step latent diffusion for medical image segmentation
 Programs to train LEAF models, to score them and to segment folders of images, with LibTorch's CPU libraries.
END
  dpkg-deb --root-owner-group -Zgzip --build "$root" "$package" >/dev/null
  rm -rf "$root"
}

# in_root ROOT COMMAND...: with /proc, from which programs learn where they lie.
in_root() {
  local root=$1
  shift
  unshare --fork --pid --mount-proc --root="$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"
}

# seconds COMMAND...: runs it and prints how long it took.
seconds() {
  local start
  start=$(date +%s.%N)
  "$@" >&2 || return
  awk -v start="$start" -v end="$(date +%s.%N)" 'BEGIN { printf "%.2f s\n", end - start }'
}

# try_programs ROOT LEAF: pictures, a volume, compressed DICOM files, with nothing there but the archive.
try_programs() {
  local root=$1 leaf=$2 masks took
  in_root "$root" "$leaf/bin/leaf_demo_data" --output /phantoms --count 12 --size 128 --seed 3
  in_root "$root" "$leaf/bin/leaf_convert" random --config "$leaf/share/leaf/configs/demo/segmentation.yaml" \
    --set model.init=random --to /model --quiet
  took=$(seconds in_root "$root" "$leaf/bin/leaf_infer" --model /model --input /phantoms/images/0001.png \
    --output /first --quiet) || die "no mask of an image"
  say "the demo's network, start to the mask of one image: $took"
  mkdir -p "$root/clinical"
  cp tests/fixtures/dicom/{jpeg2000-rct,jpegls-rgb,rle-rgb,jpeg-ybr,deflated-rgb}.dcm \
    tests/fixtures/volumes/orientation-LPS.nii.gz "$root/clinical"
  in_root "$root" "$leaf/bin/leaf_infer" --model /model --input /phantoms/images /clinical --output /masks \
    --dicom-seg --quiet
  masks=$(find "$root/masks" -maxdepth 1 \( -name '*.png' -o -name '*.nii.gz' \) | wc -l)
  [ "$masks" -eq 18 ] || die "12 pictures, 5 DICOM files and a volume, but $masks masks"
  [ "$(find "$root/masks/dicom-seg" -name '*.dcm' | wc -l)" -eq 5 ] || die "not every DICOM file has its segmentation"
}

# try_library ROOT LEAF: the example in C, found by pkg-config and by CMake, once a compiler is there.
try_library() {
  local root=$1 leaf=$2
  in_root "$root" apt-get update -qq
  in_root "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    gcc libc6-dev make cmake pkg-config >build/package/apt.log 2>&1 || die "no compiler; see build/package/apt.log"
  cp -r examples/c "$root/example"
  in_root "$root" sh -ec "cd /example
    cc segment.c -o /by-pkg-config \$(PKG_CONFIG_PATH=$leaf/lib/pkgconfig pkg-config --cflags --libs leaf) -Wl,-rpath,$leaf/lib
    cmake -S . -B /build -DCMAKE_PREFIX_PATH=$leaf >/dev/null
    cmake --build /build >/dev/null
    /by-pkg-config /model /phantoms/images/0001.png /a.pgm
    /build/segment /model /phantoms/images/0001.png /b.pgm
    cmp /a.pgm /b.pgm"
}

try_package() {
  local root=$1 package=$2
  cp "$package" "$root/leaf.deb"
  in_root "$root" dpkg -i /leaf.deb >/dev/null
  in_root "$root" leaf_infer --model /model --input /phantoms/images/0001.png --output /by-package --quiet
  cmp "$root"/{first,by-package}/0001.png
}

try_archive() {
  local archive=$1 name=$2 package=$3 root=build/package/root leaf=/opt/elsewhere/$2
  [ "$(id -u)" -eq 0 ] || die "--try makes a root of its own: run it as root"
  require_packages debootstrap
  rm -rf "$root"
  say "a bare Debian 12 in $root"
  debootstrap --variant=minbase bookworm "$root" >build/package/debootstrap.log 2>&1 ||
    die "debootstrap failed; see build/package/debootstrap.log"
  mkdir -p "$root/opt/elsewhere"
  tar -xzf "$archive" -C "$root/opt/elsewhere"
  try_programs "$root" "$leaf"
  try_package "$root" "$package"
  try_library "$root" "$leaf"
  rm -rf "$root"
  say "segmented in the bare root: 12 pictures, 5 DICOM files, a volume; the example in C by pkg-config and by CMake"
}

require_packages patchelf binutils
build --target leaf_programs
cmake --build --preset cpu --target leaf leaf_training leaf_c
mkdir -p build/package
version=$(sed -n 's/^project(leaf VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)
package=build/package/leaf_${version}_$(dpkg --print-architecture).deb
name=leaf-$version-linux-$(uname -m)
stage=build/package/$name
make_stage "$stage"
tar -C build/package -czf "build/package/$name.tar.gz" "$name"
make_deb "$stage" "$version" "$package"
say "build/package/$name.tar.gz: $(du -sm "$stage" | cut -f1) MB unpacked, $(du -m "build/package/$name.tar.gz" | cut -f1) MB packed"
rm -rf "$stage"
[ -z "$try" ] || try_archive "build/package/$name.tar.gz" "$name" "$package"
