#!/usr/bin/env bash
# Time per training step of configs/small/isic2018.yaml (128x128, batch 8, float32): leaf_train and a Python
# script that trains the same with the published implementation's U-Net, in turns on this machine.
#   ./benchmarks/small_training.sh [REFERENCE_DIR]
#   LEAF_REFERENCE_DIR   a checkout of the published implementation, where no argument names one
#   LEAF_PEER_PYTHON     a Python with torch and what script and checkout import (default: python3)
#   LEAF_PEER_TRAINING   the script. It is called as SCRIPT REFERENCE_DIR LEAF_DATA_DIR isic --steps N --res 128
#                        --pred sample --lam 0.5 --eval-every N+1 and prints "... SECONDS s/step ..."
#   LEAF_DATA_DIR        the data sets and, in weights/, the tiny autoencoder and the small teacher
#   RUNS=3 STEPS=300     runs of each side, and steps per run
#   COUNTED=50           the medians are of the last steps alone: leaf decodes pictures in the first epoch
#   THREADS              of each side (default: one per core)
# Needs the programs in build/cpu/bin.
set -euo pipefail
export RUNS=${RUNS:-3}
source "$(dirname "$0")/common.sh"
export steps=${STEPS:-300} counted=${COUNTED:-50}
[ "$counted" -ge 1 ] && [ "$steps" -gt "$counted" ] || die "COUNTED must be 1 or more, STEPS larger"

# Both print seconds per step: of the first step, then of the last COUNTED ones.
first_and_counted() { sed -n "1p; $((steps - counted + 1)),\$p"; }
leaf_side() {
  rm -rf "$work/run"
  "$bin/leaf_train" --config configs/small/isic2018.yaml --device cpu --threads "$threads" --quiet \
    --set "output.dir=$work/run" --set train.log_steps=1 --set "train.max_train_steps=$steps" \
    --set "validation.start_steps=$steps" --set "train.checkpoint_steps=$steps" >/dev/null &&
    "$python" -c 'import json, sys
for line in map(json.loads, open(sys.argv[1])):
    if line["phase"] == "train": print(line["seconds_per_step"])' "$work/run/metrics.jsonl" |
    first_and_counted
}
peer_side() {
  "$python" "$work/peer/training.py" "$reference" "$LEAF_DATA_DIR" isic --steps "$steps" --res 128 \
    --pred sample --lam 0.5 --eval-every "$((steps + 1))" |
    sed -n 's|.* \([0-9.]*\) s/step.*|\1|p' | first_and_counted
}
export -f first_and_counted leaf_side peer_side

# A copy of the script that reports every step instead of the median of a hundred.
copy_script() {
  mkdir -p "$work/peer"
  sed -e "s/set_num_threads([0-9]*)/set_num_threads($threads)/" \
    -e 's/step%100==0/step%1==0/; s/tt\[-100:\]/tt[-1:]/' "$peer_training" >"$work/peer/training.py"
}

require_peer torch diffusers timm
[ -f "${peer_training:-/nowhere}" ] || die "LEAF_PEER_TRAINING must name a training script; see --help"
[ -d "${LEAF_DATA_DIR:-/nowhere}/ISIC18" ] || die "LEAF_DATA_DIR must name the folder that holds ISIC18"
copy_script
"$python" benchmarks/side_by_side.py --runs "$runs" --unit "s per step" \
  leaf=leaf_side "PyTorch eager=peer_side"
