#!/usr/bin/env bash
# Builds with CUDA and packs what a bare machine with a GPU needs to prove it, into build/gpu/bundle.tar.xz:
# programs, tests, fixtures, the shared libraries that Debian brings. That machine has Python with torch
# 2.11+cu130, whose libraries the programs then use; scripts/gpu/check.sh runs there.
#   ./scripts/gpu/prepare.sh [BUILD]     BUILD: build folder to use (default: build/cuda, made where missing)
#   LEAF_CUDA_COMPILER                   nvcc, where it is not /usr/local/cuda/bin/nvcc
#   LEAF_GOLDEN_DIR                      packed as well, where there is such a folder (default: ../shared/golden)
set -euo pipefail
source "$(dirname "$0")/../common.sh"

build=${1:-build/cuda} bundle=build/gpu/bundle
programs=(leaf_bench leaf_convert leaf_demo_data leaf_eval leaf_infer leaf_train) tests=(unit_ops unit_device parity_golden)
nvcc=${LEAF_CUDA_COMPILER:-/usr/local/cuda/bin/nvcc}
[ -x "$nvcc" ] || die "no CUDA compiler at $nvcc; install the CUDA toolkit 13.0, or set LEAF_CUDA_COMPILER"
scripts/setup.sh
mkdir -p build
unity=()  # as scripts/common.sh: sources of a new folder are joined
[ -e "$build/CMakeCache.txt" ] || unity=(-DCMAKE_UNITY_BUILD=ON)
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLEAF_CUDA=ON -DLEAF_WERROR=ON "${unity[@]}" \
  -DCMAKE_CUDA_COMPILER="$nvcc" >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
cmake --build "$build" --target "${programs[@]}" "${tests[@]}"

rm -rf build/gpu
mkdir -p "$bundle"/{bin,lib,fixtures,golden}
cp "${programs[@]/#/$build/bin/}" "${tests[@]/#/$build/tests/}" "$bundle/bin/"
strip "$bundle"/bin/*
kernels='cuobjdump, which is not here, would list them'
dump=$(PATH=$(dirname "$nvcc"):$PATH command -v cuobjdump) &&
  kernels=$("$dump" --list-elf "$bundle/bin/leaf_infer" | grep -o 'sm_[0-9a-z]*' | sort -u | paste -sd' ')
copy_dicom_dictionary "$bundle"
cp -r tests/fixtures/golden_small "$bundle/fixtures/"
golden=${LEAF_GOLDEN_DIR:-../shared/golden}
[ ! -d "$golden" ] || cp -r "$golden"/{small,full} "$bundle/golden/"

# LibTorch, CUDA, the C library and g++'s are there already.
system='/(linux-vdso|ld-linux|libc|libm|libdl|librt|libpthread|libstdc..|libgcc_s|libgomp)[.-]'
for program in "$bundle"/bin/*; do
  ldd "$program" | awk '$3 ~ /^\/(usr\/)?lib\// {print $3}'
done | grep -Ev "$system" | sort -u | xargs -I{} cp -L {} "$bundle/lib/"
strip --strip-unneeded "$bundle"/lib/*.so* 2>/dev/null || true
tar -C build/gpu -c bundle | xz -9 >build/gpu/bundle.tar.xz  # whose window sees that programs share the library
rm -rf "$bundle"
say "build/gpu/bundle.tar.xz: $(du -m build/gpu/bundle.tar.xz | cut -f1) MB (kernels: $kernels); now scripts/gpu/check.sh on the machine"
