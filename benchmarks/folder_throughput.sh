#!/usr/bin/env bash
# Images a second of leaf_infer over a folder of mixed sizes, two builds in turns, and how many cores were busy.
#   ./benchmarks/folder_throughput.sh LEAF_INFER_A LEAF_INFER_B
#   LEAF_PEER_PYTHON     a Python with numpy and Pillow, to make the images (default: python3)
#   IMAGES=1000 DISTINCT RUNS=3 THREADS   DISTINCT images, the others links to them (default: all); THREADS of each (default:
#                        one per core)
#   MODEL=DIR            default: a tiny network with random weights
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
[ $# -eq 2 ] || { echo "usage: folder_throughput.sh LEAF_INFER_A LEAF_INFER_B; see --help" >&2; exit 2; }
a=$(realpath "$1") b=$(realpath "$2")
python=$(command -v "${LEAF_PEER_PYTHON:-python3}")
cd "$(dirname "$0")/.."
images=${IMAGES:-1000} distinct=${DISTINCT:-${IMAGES:-1000}} threads=${THREADS:-$(nproc)}
work=build/benchmarks
mkdir -p "$work"
input=$work/mixed-$images-$distinct
[ -d "$input" ] || "$python" benchmarks/mixed_images.py "$input" "$images" --distinct "$distinct"
model=${MODEL:-$work/tiny-model}
[ -d "$model" ] || build/cpu/bin/leaf_convert random --config tests/install/tiny.yaml --to "$model"

# once NAME PROGRAM
once() {
  rm -rf "$work/masks"
  /usr/bin/env python3 - "$1" "$images" "$2" --model "$model" --input "$input" \
    --output "$work/masks" --device cpu --quiet --threads "$threads" <<'PYTHON'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[3:], check=True)
seconds = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
busy = (usage.ru_utime + usage.ru_stime) / seconds
print(f"{sys.argv[1]}: {int(sys.argv[2]) / seconds:.2f} images/s, {busy:.2f} cores busy, "
      f"{usage.ru_utime + usage.ru_stime:.1f} s of processor time, {usage.ru_maxrss / 1024:.0f} MB at most", flush=True)
PYTHON
}
for ((run = 0; run < ${RUNS:-3}; ++run)); do
  once A "$a"
  once B "$b"
done
