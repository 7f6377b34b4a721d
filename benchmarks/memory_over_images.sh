#!/usr/bin/env bash
# Resident memory of leaf_infer over a folder of small images: between image 1000 and the last it must not
# grow by more than 5 %.
#   ./benchmarks/memory_over_images.sh [LEAF_INFER]     default: build/cpu/bin/leaf_infer
#   IMAGES=20000 SIZE=96 THREADS=1
# Random weights, a tiny network; needs the programs in build/cpu/bin. Ends with 1 where memory grows.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
program=$(realpath "${1:-$(dirname "$0")/../build/cpu/bin/leaf_infer}")
cd "$(dirname "$0")/.."
bin=$PWD/build/cpu/bin images=${IMAGES:-20000}
work=$(mktemp -d "${TMPDIR:-/tmp}/memory_over_images.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$bin/leaf_convert" random --config tests/install/tiny.yaml --to "$work/model" 2>/dev/null
"$bin/leaf_demo_data" --output "$work/few" --count 50 --size "${SIZE:-96}" 2>/dev/null
python3 - "$work" "$images" <<'PYTHON'
import os, sys
work, count = sys.argv[1], int(sys.argv[2])
few = sorted(os.listdir(f"{work}/few/images"))
os.mkdir(f"{work}/in")
for i in range(count):
    os.link(f"{work}/few/images/{few[i % len(few)]}", f"{work}/in/{i}.png")
PYTHON
python3 benchmarks/memory_over_images.py "$images" "$work/masks" \
  "$program" --model "$work/model" --input "$work/in" --output "$work/masks" --device cpu --quiet \
  --threads "${THREADS:-1}"
