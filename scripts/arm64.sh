#!/usr/bin/env bash
# Cross-builds leaf for arm64 Linux on a Debian of x86-64 (build/arm64), runs the operators' unit tests with qemu-user, and
# compares the masks that its programs make there with those of this machine's own.
#   ./scripts/arm64.sh
# Debian's arm64 libraries are unpacked into build/arm64-sysroot, LibTorch's into third_party/libtorch-arm64; the
# machine's own packages stay as they are, but for the cross compiler and qemu. On an arm64 machine itself:
# ./scripts/test.sh.
set -euo pipefail
source "$(dirname "$0")/common.sh"

case ${1:-} in
  "") ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' scripts/arm64.sh; exit 0 ;;
  *) die "unknown option '$1'; see scripts/arm64.sh --help" ;;
esac
sysroot=$PWD/build/arm64-sysroot libtorch=third_party/libtorch-arm64

# apt_arm64 ARGUMENT...: apt-get for arm64, from this machine's sources, with lists and archives of its own.
apt_arm64() {
  apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$sysroot.apt" \
    -o Dir::State::status="$sysroot.apt/status" -o Dir::Cache="$sysroot.apt" -o APT::Sandbox::User=root "$@"
}

# Packages are unpacked, not installed: their scripts would have to run on arm64.
make_sysroot() {
  local packages stamp package link
  mapfile -t packages < <(grep -- '-dev$' third_party/apt-packages.txt)
  stamp=$sysroot/.unpacked-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-16)
  [ -e "$stamp" ] && return
  say "unpacking Debian's arm64 libraries (150 MB)"
  rm -rf "$sysroot" "$sysroot.apt"
  mkdir -p "$sysroot" "$sysroot.apt"/{lists,archives}/partial
  touch "$sysroot.apt/status"
  apt_arm64 update
  apt_arm64 install --yes --download-only --no-install-recommends libc6-dev "${packages[@]}" >/dev/null
  for package in "$sysroot.apt"/archives/*.deb; do
    dpkg-deb --extract "$package" "$sysroot"
  done
  find "$sysroot" -type l -lname '/*' | while read -r link; do
    ln -sfr "$sysroot$(readlink "$link")" "$link"
  done
  # What update-alternatives would have linked.
  ln -s blas/libblas.so.3 lapack/liblapack.so.3 "$sysroot/usr/lib/aarch64-linux-gnu/"
  rm -rf "$sysroot.apt"
  touch "$stamp"
}

# In a subshell: what follows it is this machine's own again.
cross_build() (
  preset=arm64
  export LEAF_LIBTORCH=$PWD/$libtorch/torch
  configure -DLEAF_BUILD_TESTS=ON -DLEAF_WERROR=ON
  cmake --build --preset arm64 --target unit_ops leaf_programs
)

# LibTorch may say that it can't open MIDR_EL1, a file that arm64's kernel has.
emulate() { qemu-aarch64 -L "$sysroot" "$@"; }

# A model trained for some steps, since the U-Net of a random one predicts zeros.
compare_masks() {
  local work=build/arm64/compare cpu=build/cpu/bin
  rm -rf "$work"
  mkdir -p "$work"
  "$cpu/leaf_demo_data" --output "$work/data" --count 12 --size 96 --seed 3
  "$cpu/leaf_train" --config tests/install/tiny.yaml --device cpu --quiet --set "data.root=$PWD/$work/data" \
    --set "output.dir=$work/run" --set train.max_train_steps=20 --set train.learning_rate=1e-3 \
    --set train.num_warmup_steps=0 --set validation.start_steps=20
  local infer=(leaf_infer --model "$work/run" --input "$work/data/images" --device cpu --quiet --probabilities npy)
  "$cpu/${infer[@]}" --output "$work/x86_64"
  emulate "build/arm64/bin/${infer[@]}" --output "$work/arm64"
  /usr/bin/python3 - "$work" <<'END'
import array, pathlib, sys
def numbers(path):
    return array.array("f", path.read_bytes()[128:])  # behind the header of so small an array
work = pathlib.Path(sys.argv[1])
pixels = foreground = changed = wrong = 0
largest = 0.0
for path in sorted(work.glob("x86_64/probabilities/*.npy")):
    ours, theirs = numbers(path), numbers(work / "arm64/probabilities" / path.name)
    pixels += len(ours)
    foreground += sum(a > 0.5 for a in ours)
    changed += sum((a > 0.5) != (b > 0.5) for a, b in zip(ours, theirs, strict=True))
    wrong += sum(not abs(a - b) <= 1e-4 for a, b in zip(ours, theirs))  # NaN too
    largest = max(largest, max(abs(a - b) for a, b in zip(ours, theirs)))
print(f"{changed} of {pixels} pixels differ in the masks, probabilities by {largest:.1e} at most")
if not 0 < foreground < pixels:
    sys.exit("arm64: error: the masks have no edges, which proves nothing")
if wrong:
    sys.exit("arm64: error: that is more than rounding")
END
}

[ "$(uname -m)" = x86_64 ] || die "this is for machines of x86-64; on arm64 itself: ./scripts/test.sh"
require_packages g++-aarch64-linux-gnu qemu-user python3-pip
make_sysroot
install_wheels arm64 aarch64 "$libtorch" "430 MB"
cross_build
build --target leaf_programs  # this machine's own
export OMP_WAIT_POLICY=passive  # emulated threads that wait by spinning cost most of the time
say "the operators' unit tests under qemu"
emulate build/arm64/tests/unit_ops
say "masks of both machines"
compare_masks
