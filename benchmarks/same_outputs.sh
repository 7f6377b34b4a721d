#!/usr/bin/env bash
# Whether the programs of two build folders give the same, byte for byte: for redesigns.
#   ./benchmarks/same_outputs.sh BUILD_A BUILD_B     folders with the programs in bin/, or such a bin itself
#   LEAF_DATA_DIR     holds ISIC18 and weights/
#   LEAF_GOLDEN_DIR   holds small/pipeline
#   IMAGES=50 STEPS=20 TRAINED_STEPS=200 THREADS=1
# Compared: the weights after STEPS training steps from one seed; masks and probabilities of IMAGES images,
# with the golden small pipeline (in one and four steps) and with a model that A trains for TRAINED_STEPS; that
# model's scores. Of scores and summaries, what A has counts: B may say more. Ends with 1 where anything differs.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
[ $# -eq 2 ] || { echo "usage: same_outputs.sh BUILD_A BUILD_B; see --help" >&2; exit 2; }
programs() { if [ -d "$1/bin" ]; then realpath "$1/bin"; else realpath "$1"; fi; }
a=$(programs "$1") b=$(programs "$2")
data=$(realpath "${LEAF_DATA_DIR:?must name the folder that holds ISIC18}")
golden=$(realpath "${LEAF_GOLDEN_DIR:?must name the folder that holds small/pipeline}")
export LEAF_DATA_DIR=$data
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/same_outputs.XXXXXX")
trap 'rm -rf "$work"' EXIT
common=(--device cpu --threads "${THREADS:-1}" --quiet)

mkdir "$work/images"
find "$data/ISIC18/train_Data" -type f -name '*.*' | sort | sed -n "1,${IMAGES:-50}p" |
  xargs -d '\n' cp -t "$work/images"

# train BIN RUN STEPS
train() {
  "$1/leaf_train" --config configs/small/isic2018.yaml "${common[@]}" --set "output.dir=$2" --set seed=1 \
    --set "train.max_train_steps=$3" --set "train.checkpoint_steps=$3" --set "validation.start_steps=$3" \
    --set "validation.steps=$3" --set "data.split.validation=${IMAGES:-50}" \
    --set train.num_warmup_steps=10 >/dev/null
}

# outputs BIN FOLDER: everything that is compared.
outputs() {
  train "$1" "$2/run" "${STEPS:-20}"
  rm -f "$2"/run/log.txt
  "$1/leaf_infer" --model "$golden/small/pipeline" --input "$work/images" --output "$2/golden-1" \
    --probabilities "${common[@]}"
  "$1/leaf_infer" --model "$golden/small/pipeline" --input "$work/images" --output "$2/golden-4" \
    --num-inference-steps 4 --probabilities "${common[@]}"
  "$1/leaf_infer" --model "$work/trained" --input "$work/images" --output "$2/trained" --probabilities \
    --batch-size 4 "${common[@]}"
  "$1/leaf_eval" --model "$work/trained" --config configs/small/isic2018.yaml --split validation \
    --set "data.split.validation=${IMAGES:-50}" --output "$2/scores" "${common[@]}" >/dev/null
}

train "$a" "$work/trained" "${TRAINED_STEPS:-200}"
outputs "$a" "$work/a"
outputs "$b" "$work/b"
python3 benchmarks/same_outputs.py "$work/a" "$work/b"
