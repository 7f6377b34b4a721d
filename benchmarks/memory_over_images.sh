#!/usr/bin/env bash
# Resident memory of leaf_infer over a folder of images: it must not grow with their number.
#   ./benchmarks/memory_over_images.sh [LEAF_INFER]     default: build/cpu/bin/leaf_infer
#   IMAGES=20000 SIZE=96 THREADS=1   so many small images: by at most 5 % from mask 1000 to the last
#   INPUT=DIR   these images instead, of any sizes (benchmarks/mixed_images.py): by at most 10 % from mask 500 on
#   MODEL=DIR   default: a tiny network with random weights
# Needs the programs in build/cpu/bin. Ends with 1 where memory grows.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
program=$(realpath "${1:-$(dirname "$0")/../build/cpu/bin/leaf_infer}") input=$(realpath -m "${INPUT:-none}")
model=$(realpath -m "${MODEL:-none}")
cd "$(dirname "$0")/.."
bin=$PWD/build/cpu/bin images=${IMAGES:-20000} first=1000 percent=5
work=$(mktemp -d "${TMPDIR:-/tmp}/memory_over_images.XXXXXX")
trap 'rm -rf "$work"' EXIT

make_small_images() {
  "$bin/leaf_demo_data" --output "$work/few" --count 50 --size "${SIZE:-96}" 2>/dev/null
  python3 - "$work" "$images" <<'PYTHON'
import os, sys
work, count = sys.argv[1], int(sys.argv[2])
few = sorted(os.listdir(f"{work}/few/images"))
os.mkdir(f"{work}/in")
for i in range(count):
    os.link(f"{work}/few/images/{few[i % len(few)]}", f"{work}/in/{i}.png")
PYTHON
}

if [ -z "${MODEL:-}" ]; then
  model=$work/model
  "$bin/leaf_convert" random --config tests/install/tiny.yaml --to "$model" 2>/dev/null
fi
if [ -n "${INPUT:-}" ]; then
  images=$(find "$input" -type f | wc -l) first=500 percent=10
else
  make_small_images
  input=$work/in
fi
python3 benchmarks/memory_over_images.py "$images" "$first" "$percent" "$work/masks" \
  "$program" --model "$model" --input "$input" --output "$work/masks" --device cpu --quiet --threads "${THREADS:-1}"
