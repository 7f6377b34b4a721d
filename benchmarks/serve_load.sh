#!/usr/bin/env bash
# Clients that ask leaf_serve without pause, beside leaf_infer over the same images with the same batch size: images a
# second of both, how long answers take, the server's memory; every answer is compared with leaf_infer's mask.
#   ./benchmarks/serve_load.sh
#   SECONDS_LONG=120 CLIENTS=64 BATCH=1 THREADS   THREADS of each program (default: one per core)
#   MODEL=DIR            default: a tiny network with random weights
#   INPUT=DIR            a folder of images (default: 200 phantoms of 128x128)
# Ends with 1 for an answer that is wrong or missing, below 0.95 of leaf_infer's images a second, or where memory grows
# by more than 5 % after the first quarter. The clients share the machine with the server.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
bin=$PWD/build/cpu/bin batch=${BATCH:-1} threads=${THREADS:-$(nproc)}
work=$(mktemp -d "${TMPDIR:-/tmp}/serve_load.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

model=${MODEL:-$work/model} input=${INPUT:-$work/phantoms/images}
[ -n "${MODEL:-}" ] || "$bin/leaf_convert" random --config tests/install/tiny.yaml --to "$model" 2>/dev/null
[ -n "${INPUT:-}" ] || "$bin/leaf_demo_data" --output "$work/phantoms" --count 200 --size 128 2>/dev/null
options=(--model "$model" --device cpu --threads "$threads" --batch-size "$batch" --quiet)

"$bin/leaf_infer" "${options[@]}" --input "$input" --output "$work/masks" --no-recursive
"$bin/leaf_serve" "${options[@]}" --port 0 --queue 256 >"$work/address" &
server=$!
until [ -s "$work/address" ]; do sleep 0.1; done
python3 benchmarks/serve_load.py "$(sed 's/.* //' "$work/address")" "$input" "$work/masks" "$server" \
  --clients "${CLIENTS:-64}" --seconds "${SECONDS_LONG:-120}" || failed=$?
kill -TERM "$server"
wait "$server" || failed=$?
server=
exit "${failed:-0}"
