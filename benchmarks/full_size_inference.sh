#!/usr/bin/env bash
# Time per image of the full-size network (256x256, one step, float32, one image at a time): leaf_infer and
# PyTorch (eager, channels-last) with the published implementation's network, in turns on this machine.
#   ./benchmarks/full_size_inference.sh [REFERENCE_DIR]
#   LEAF_REFERENCE_DIR   a checkout of the published implementation, where no argument names one
#   LEAF_PEER_PYTHON     a Python with torch and what that checkout imports (default: python3)
#   RUNS=5 IMAGES=6      runs of each side, and images per run; the first image is not in the medians
#   THREADS              of each side (default: one per core)
# Random weights; needs the programs in build/cpu/bin.
set -euo pipefail
source "$(dirname "$0")/common.sh"
export images=${IMAGES:-6}
[ "$images" -ge 2 ] || die "IMAGES must be 2 or more: the first is the warm-up"

# Both print one line per image: milliseconds from the picture to the mask, without files.
leaf_side() {
  "$bin/leaf_infer" --model "$work/model" --input "$work/images-$images/images" --output "$work/masks" \
    --device cpu --threads "$threads" --quiet &&
    "$python" -c 'import json, sys
for image in json.load(open(sys.argv[1]))["images"]: print(image["milliseconds"])' "$work/masks/summary.json"
}
peer_side() {
  "$python" benchmarks/peer_inference.py "$reference" --images "$images" --threads "$threads"
}
export -f leaf_side peer_side

require_peer torch diffusers
[ -d "$work/model" ] ||
  "$bin/leaf_convert" random --config configs/cvc.yaml --set model.init=random --to "$work/model"
[ -d "$work/images-$images" ] ||
  "$bin/leaf_demo_data" --output "$work/images-$images" --count "$images" --size 256
rm -rf "$work/masks"
"$python" benchmarks/side_by_side.py --runs "$runs" --unit "ms per image" \
  leaf=leaf_side "PyTorch eager=peer_side"
