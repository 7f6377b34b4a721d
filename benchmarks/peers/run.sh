#!/usr/bin/env bash
# Time per image of leaf and of other runtimes, which all run the published implementation's network, or a light model's
# (docs/light.md), with the same weights, images and noise on the same CPU, in turns; and each one's error against double
# precision.
#   ./benchmarks/peers/run.sh [REFERENCE_DIR]
#   LEAF_REFERENCE_DIR   a checkout of the published implementation, where no argument names one
#   LEAF_PEER_PYTHON     the Python that makes the virtual environment (default: python3)
#   KINDS="leaf eager ..."   the sides; the first is what the ratios are to. There are: leaf leaf-bf16 eager
#                            eager-channels-last eager-channels-last-bf16 compile compile-bf16 openvino
#                            openvino-bf16 openvino-int8 onnxruntime onnxruntime-int8 (default: all but leaf-bf16
#                            and those in int8)
#   ROUNDS=5 CALLS=3     rounds, and calls of a side in its turn, of which the median counts
#   BATCH=1              images per call
#   THREADS              of each side (default: one per core)
#   CONFIG               what describes the network (default: configs/cvc.yaml, the paper's; configs/light/*.yaml)
# The first call downloads the other runtimes (6 GB) into build/benchmarks/peers/venv; beside it a configuration's files
# and its table.md are in the folder of its name. Needs the programs in build/cpu/bin, and about 20 GB of disk.
set -euo pipefail
source "$(dirname "$0")/../common.sh"
config=${CONFIG:-configs/cvc.yaml} batch=${BATCH:-1} rounds=${ROUNDS:-5} calls=${CALLS:-3}
kinds=${KINDS:-leaf eager eager-channels-last compile openvino onnxruntime
  eager-channels-last-bf16 compile-bf16 openvino-bf16}
here=benchmarks/peers peers=$work/peers
venv=$peers/venv folder=$peers/$(basename "$config" .yaml)
mkdir -p "$folder"

if ! cmp -s $here/requirements.txt "$venv/installed.txt"; then
  say "installing the other runtimes into $venv"
  [ -x "$python" ] || die "no Python; set LEAF_PEER_PYTHON"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r $here/requirements.txt
  cp $here/requirements.txt "$venv/installed.txt"
fi
python=$PWD/$venv/bin/python
require_peer torch openvino onnxruntime
[ -x "$bin/leaf_bench" ] || die "no leaf_bench in $bin; build it first"

# Another configuration of the same name begins anew.
cmp -s "$config" "$folder/config.yaml" || rm -rf "$folder"
mkdir -p "$folder"
if [ ! -d "$folder/model" ]; then
  rm -rf "$folder/model.new"
  "$bin/leaf_convert" random --config "$config" --set model.init=random --to "$folder/model.new" --quiet
  "$python" $here/prepare.py fill "$folder/model.new"
  mv "$folder/model.new" "$folder/model"
  cp "$config" "$folder/config.yaml"
fi
onnx=()
case $kinds in *openvino* | *onnx*) onnx=(--onnx) ;; esac
case $kinds in *int8*) onnx+=(--int8) ;; esac
"$python" $here/prepare.py make "$folder/model" "$folder" "$reference" --batch "$batch" "${onnx[@]}"
"$python" $here/compare.py "$folder" --reference "$reference" --bin "$bin" --table "$folder/table.md" \
  --kinds "$kinds" --rounds "$rounds" --calls "$calls" --batch "$batch" --threads "$threads"
say "the table is in $folder/table.md"
