#!/usr/bin/env bash
# Proves leaf on a GPU: unpacks what scripts/gpu/prepare.sh packed and runs tests, training, inference and
# benchmarks, each with a time limit of its own; a failure does not stop the others.
#   scripts/gpu/check.sh RESULTS_FOLDER
#   DEVICE=cuda      cpu rehearses it: what is of full size is made smaller, limits are longer
#   BUNDLE           the archive (default: build/gpu/bundle.tar.xz)
#   STEPS_ONLY       a pattern of the steps to run (default: all)
#   PEER             a checkout of the published implementation; times PyTorch beside, on a GPU
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${1:?usage: check.sh RESULTS_FOLDER}")
device=${DEVICE:-cuda} only=${STEPS_ONLY:-.}
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xJf "${BUNDLE:-build/gpu/bundle.tar.xz}"
bundle=$work/bundle bin=$work/bundle/bin results=$out/results.txt
: >"$results"
say() { echo "$*" | tee -a "$results"; }

# Full size, or what a CPU does in seconds.
size=256 runs=50 steps=60 largest=16 patience=1 golden='*'
network='model: {init: random}'
if [ "$device" = cpu ]; then
  size=128 runs=3 steps=4 largest=2 patience=3 golden='-*InFloat16'
  network='model: {init: random, autoencoder: {ch: 64}, unet: {model_channels: 64}}
alignment: {teacher: vit_tiny_patch16_224}'
  say "rehearsal on the CPU: full-model, infer-* and train-full* take ${size}x$size pixels, 64 channels, a tiny teacher," \
    "$runs calls, $steps steps, and batch $largest in place of 16; golden leaves float16 out, minutes of LibTorch's CPU kernels"
fi

torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null || echo third_party/libtorch/torch)
export LD_LIBRARY_PATH=$bundle/lib:$torch/lib:$(echo "$torch"/../nvidia/*/lib | tr ' ' ':'):${LD_LIBRARY_PATH:-}
export LEAF_TEST_DEVICE=$device LEAF_FIXTURES=$bundle/fixtures
[ ! -d "$bundle/golden/small" ] || export LEAF_GOLDEN_DIR=$bundle/golden
export PATH=$bin:$PATH

# step NAME SECONDS COMMAND...: one line in the results; its output goes to NAME.log.
step() {
  local name=$1 limit=$2 start=$SECONDS rc
  shift 2
  [[ $name =~ $only ]] || return 0
  timeout $((limit * patience)) "$@" >"$out/$name.log" 2>&1
  rc=$?
  printf '%-22s %s in %d s\n' "$name" "$([ $rc = 0 ] && echo ok || echo "FAILED ($rc)")" \
    $((SECONDS - start)) | tee -a "$results"
}
show() { [[ ! $1 =~ $only ]] || { grep -E "$2" "$out/$1.log" | sed 's/^/    /' | tail -n "${3:-40}" | tee -a "$results"; }; }

machine() {
  nproc
  ldd "$bin/leaf_infer" | grep 'not found'
  leaf_infer --version
  [ "$device" = cpu ] || nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
}

config=$work/tiny.yaml
tiny_run() {  # tiny_run DEVICE NAME [OPTION...]: 50 steps of a small model
  local where=$1 name=$2
  shift 2
  leaf_train --config "$config" --device "$where" --quiet --set "output.dir=$work/$name" "$@" &&
    python3 -c 'import json, sys
for line in map(json.loads, open(sys.argv[1])):
    if line["phase"] == "train": print(line["step"], line["loss"], line["seconds_per_step"])' \
      "$work/$name/metrics.jsonl" | tee "$work/$name.losses"
}
prepare_tiny() {
  leaf_demo_data --output "$work/phantoms" --count 80 --size 96 --seed 1
  cat >"$config" <<END
data: {root: $work/phantoms, resolution: 64, split: {validation: 0.1, test: 0.1}}
model:
  init: random
  autoencoder: {ch: 32, ch_mult: [1, 2], num_res_blocks: 1}
  unet: {model_channels: 64, channel_mult: [1, 2], num_res_blocks: 1, attention_resolutions: [2], num_heads: 4, dropout: 0}
  latent_encoder: {dropout: 0}
alignment: {teacher: none}
train: {learning_rate: 1e-4, num_warmup_steps: 10, train_batch_size: 8, max_train_steps: 50, log_steps: 1, checkpoint_steps: 50}
validation: {start_steps: 50, steps: 50}
END
  tiny_run cpu run-cpu
}
# A loss is about 0.02: rounding differs between runs, since cuDNN times its algorithms, and adds up over
# fifty steps.
compare_losses() {  # compare_losses NAME TOLERANCE: with those of the CPU
  python3 -c 'import sys
rows = [[list(map(float, l.split())) for l in open(p)] for p in sys.argv[1:3]]
worst = max(abs(a[1] - b[1]) / abs(b[1]) for a, b in zip(*rows))
print("steps", len(rows[0]), "largest relative difference of a loss", worst)
sys.exit(not (len(rows[0]) == len(rows[1]) == 50 and worst <= float(sys.argv[3])))' \
    "$work/$1.losses" "$work/run-cpu.losses" "$2"
}
tiny_on_device() { tiny_run "$device" run-device && compare_losses run-device 5e-3; }
tiny_recorded() { tiny_run "$device" run-graph --set train.cuda_graph=true && compare_losses run-graph 5e-3; }
tiny_clipped() { tiny_run "$device" run-clipped --set train.cuda_graph=true --set train.clip_in_update=true && compare_losses run-clipped 5e-3; }
tiny_resumed() {
  tiny_run "$device" run-half --set train.max_train_steps=25 --set train.checkpoint_steps=25 --set validation.start_steps=100 >/dev/null &&
    tiny_run "$device" run-half --resume && compare_losses run-half 5e-3
}
tiny_programs() {
  leaf_eval --model "$work/run-device" --config "$config" --split test --device "$device" --output "$work/scores" &&
    leaf_infer --model "$work/run-device" --input "$work/phantoms/images" --output "$work/masks-device" --device "$device" &&
    leaf_infer --model "$work/run-device" --input "$work/phantoms/images" --output "$work/masks-cpu" --device cpu &&
    leaf_eval --predictions "$work/masks-device" --ground-truth "$work/masks-cpu" --output "$work/agreement"
}

full=$work/full.yaml
prepare_full() {
  leaf_demo_data --output "$work/large" --count 40 --size "$size" --seed 2
  cat >"$full" <<END
data: {root: $work/large, resolution: $size, split: {validation: 0.1, test: 0.1}}
$network
train: {train_batch_size: 4, num_warmup_steps: 10, log_steps: $((steps / 2 < 20 ? steps / 2 : 20)), max_train_steps: $steps, checkpoint_steps: 1000000, mixed_precision: bf16}
validation: {start_steps: 1000000}
END
  leaf_convert random --config "$full" --to "$work/model"
}
bench() {  # bench PRECISION BATCH
  leaf_bench --model "$work/model" --device "$device" --precision "$1" --batch "$2" --runs "$runs"
}
train_full() {  # train_full NAME [OPTION...]
  local name=$1 rc
  shift
  leaf_train --config "$full" --device "$device" --quiet --set "output.dir=$work/$name" "$@" &&
    grep seconds_per_step "$work/$name/metrics.jsonl"
  rc=$?
  rm -rf "${work:?}/$name"
  return $rc
}

export -f machine tiny_run prepare_tiny compare_losses tiny_on_device tiny_recorded tiny_clipped tiny_resumed tiny_programs prepare_full bench train_full
export work config full device bin size runs steps network

step machine 60 bash -c machine; show machine . 8
step operators 120 "$bin/unit_ops" --gtest_filter='GroupNorm*'; show operators 'FAILED|PASSED|SKIPPED.*tests'
step training 150 "$bin/unit_device"; show training 'FAILED|PASSED|Failure|weights' 16
step golden 150 "$bin/parity_golden" --gtest_filter="$golden"; show golden 'FAILED|PASSED|relative error of|Failure' 12
step tiny-cpu 120 bash -c "prepare_tiny"
step tiny-device 120 bash -c "tiny_on_device"; show tiny-device 'largest|rror' 3
step tiny-graph 120 bash -c "tiny_recorded"; show tiny-graph 'largest|rror' 3
step tiny-clipped 120 bash -c "tiny_clipped"; show tiny-clipped 'largest|rror' 3
step tiny-resume 120 bash -c "tiny_resumed"; show tiny-resume 'largest|rror' 3
step tiny-programs 120 bash -c "tiny_programs"; show tiny-programs 'Dice|dice|rror' 8
step full-model 60 bash -c "prepare_full"
for setting in "fp32 1" "bf16 1" "bf16 $largest"; do
  read -r precision batch <<<"$setting"
  step "infer-$precision-$batch" 90 bash -c "bench $precision $batch"; show "infer-$precision-$batch" 'per image|peak|first|rror' 4
done
step train-full 100 bash -c "train_full run-full"; show train-full 'seconds_per_step|rror' 2
step train-full-graph 100 bash -c "train_full run-full-graph --set train.cuda_graph=true"; show train-full-graph 'seconds_per_step|rror' 2
step train-full-clipped 100 bash -c "train_full run-full-clipped --set train.cuda_graph=true --set train.clip_in_update=true"; show train-full-clipped 'seconds_per_step|rror' 2
if [ -n "${PEER:-}" ]; then
  for mode in train-eager train-tuned infer-eager infer-tuned infer-compile train-compile; do
    step "peer-$mode" 150 python3 benchmarks/gpu_peer.py "$PEER" "$mode"; show "peer-$mode" 'ms|rror' 4
  done
fi
if [ "$device" != cpu ] && command -v compute-sanitizer >/dev/null; then
  step sanitizer 100 compute-sanitizer --tool memcheck --error-exitcode 9 "$bin/unit_ops" --gtest_filter='GroupNormOnTheGpu.BFloat16*'; show sanitizer 'ERROR SUMMARY' 2
  step racecheck 100 compute-sanitizer --tool racecheck --error-exitcode 9 "$bin/unit_ops" --gtest_filter='GroupNormOnTheGpu.BFloat16*'; show racecheck 'RACECHECK' 2
fi
say "$SECONDS s in all"
! grep -q FAILED "$results"
