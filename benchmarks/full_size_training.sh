#!/usr/bin/env bash
# Time per training step of the full-size network (configs/cvc.yaml: 256x256, frozen teacher, AdamW, EMA) at batch 1 in
# float32 with random weights: leaf_train and a Python script that trains the same with the published
# implementation's networks (eager PyTorch in both memory formats), in turns on this machine.
#   ./benchmarks/full_size_training.sh [REFERENCE_DIR]
#   LEAF_REFERENCE_DIR   a checkout of the published implementation, where no argument names one
#   LEAF_PEER_PYTHON     a Python with torch and what script and checkout import (default: python3)
#   LEAF_PEER_TRAINING   the script. It is called as SCRIPT REFERENCE_DIR contiguous|channels_last --n STEPS-1 and
#                        prints "step K: SECONDS s" for each step
#   LEAF_DATA_DIR        holds CVC-ClinicDB
#   RUNS=2 STEPS=4       runs of each side, and steps per run; the first step is not in the medians
#   THREADS              of each side (default: one per core)
# Needs the programs in build/cpu/bin, 11 GB of memory and 5 GB of disk.
set -euo pipefail
export RUNS=${RUNS:-2}
source "$(dirname "$0")/common.sh"
export steps=${STEPS:-4}
[ "$steps" -ge 2 ] || die "STEPS must be 2 or more: the first is the warm-up"

# Both print seconds per step.
leaf_side() {
  rm -rf "$work/run"
  "$bin/leaf_train" --config configs/cvc.yaml --device cpu --precision fp32 --threads "$threads" --quiet \
    --set model.init=random --set train.train_batch_size=1 --set "output.dir=$work/run" \
    --set train.log_steps=1 --set "train.max_train_steps=$steps" \
    --set "validation.start_steps=$((steps + 1))" --set "train.checkpoint_steps=$steps" >/dev/null &&
    "$python" -c 'import json, sys
for line in map(json.loads, open(sys.argv[1])):
    if line["phase"] == "train": print(line["seconds_per_step"])' "$work/run/metrics.jsonl"
  rm -rf "$work/run"
}
peer_side() {
  "$python" "$work/peer/full_size_training.py" "$reference" "$1" --n "$((steps - 1))" |
    sed -n 's|^step [0-9]*: \([0-9.]*\) s.*|\1|p'
}
export -f leaf_side peer_side

require_peer torch diffusers timm
[ -f "${peer_training:-/nowhere}" ] || die "LEAF_PEER_TRAINING must name a training script; see --help"
[ -d "${LEAF_DATA_DIR:-/nowhere}/CVC-ClinicDB" ] || die "LEAF_DATA_DIR must name the folder that holds CVC-ClinicDB"
mkdir -p "$work/peer"
sed "s/set_num_threads([0-9]*)/set_num_threads($threads)/" "$peer_training" >"$work/peer/full_size_training.py"
"$python" benchmarks/side_by_side.py --runs "$runs" --unit "s per step" leaf=leaf_side \
  "PyTorch eager=peer_side contiguous" "PyTorch eager, channels-last=peer_side channels_last"
