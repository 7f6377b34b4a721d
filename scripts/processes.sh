#!/usr/bin/env bash
# Whether leaf_train works under the launchers that are installed: a few steps of a tiny network by two processes under
# --nproc, torchrun and Open MPI's mpirun must log the losses and scores of one process that accumulates two micro-batches.
#   ./scripts/processes.sh      needs the programs in build/cpu/bin; LEAF_TORCHRUN names a torchrun outside PATH
set -euo pipefail
source "$(dirname "$0")/common.sh"
bin=$PWD/build/cpu/bin
[ -x "$bin/leaf_train" ] || die "no leaf_train in $bin; build it first"
work=$(mktemp -d "${TMPDIR:-/tmp}/processes.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$bin/leaf_demo_data" --output "$work/data" --count 12 --size 64 >/dev/null
cat >"$work/config.yaml" <<'YAML'
model:
  init: random
  autoencoder: {type: kl, ch: 32, ch_mult: [1, 1, 1, 1], num_res_blocks: 1}
  unet: {model_channels: 32, channel_mult: [1, 2], num_res_blocks: 1, attention_resolutions: [2], num_heads: 2}
alignment: {teacher: none}
data: {root: data, resolution: 64, split: {strategy: tail, validation: 4, test: 0}}
train: {num_warmup_steps: 0, max_train_steps: 4, train_batch_size: 2, log_steps: 1, checkpoint_steps: 4}
validation: {start_steps: 4, steps: 4, batch_size: 1}
YAML

# train NAME COMMAND...: trains into $work/NAME.
train() {
  local name=$1
  shift
  "$@" --config "$work/config.yaml" --device cpu --threads 1 --quiet --set "output.dir=$work/$name" >/dev/null
  /usr/bin/python3 - "$work/one/metrics.jsonl" "$work/$name/metrics.jsonl" <<'PY'
import json, sys
one, other = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
assert len(one) == len(other) == 5, (len(one), len(other))
for a, b in zip(one, other):
    for key in a.keys() - {"phase", "seconds_per_step"}:
        assert abs(a[key] - b[key]) <= 1e-6 * abs(a[key]), (key, a, b)
PY
  say "$name: as one process"
}

train one "$bin/leaf_train" --set train.gradient_accumulation_steps=2
train nproc "$bin/leaf_train" --nproc 2
torchrun=$(command -v "${LEAF_TORCHRUN:-torchrun}" || true)
if [ -n "$torchrun" ]; then
  train torchrun "$torchrun" --standalone --no-python --nproc-per-node 2 "$bin/leaf_train"
else
  say "torchrun is not installed: left out"
fi
if command -v mpirun >/dev/null; then
  train mpirun mpirun --allow-run-as-root --oversubscribe -n 2 "$bin/leaf_train"
else
  say "mpirun is not installed: left out"
fi
