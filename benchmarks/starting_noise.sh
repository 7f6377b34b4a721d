#!/usr/bin/env bash
# What the starting noise of inference counts for: a model's scores from several seeds and from zeros, and
# how much its masks change where images change by one grey level in a corner.
#   ./benchmarks/starting_noise.sh MODEL CONFIG IMAGES
#   MODEL    a model folder or a run folder       CONFIG   the configuration of its data set
#   IMAGES   a folder of images, for the masks
#   PART=validation SEEDS=10 COUNT=100   part of the data set to score, seeds, images taken of IMAGES
#   PYTHON=python3                       one that has Pillow
#   BIN=build/cpu/bin                    the programs
#   NOISE="normal zeros"                 leave zeros out for programs that have no --noise
# Prints, from zeros and over the seeds, the mean Dice and its standard deviation, and for masks of images
# against those of the images one grey level apart, Dice: mean and smallest.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
[ $# -eq 3 ] || { echo "usage: starting_noise.sh MODEL CONFIG IMAGES; see --help" >&2; exit 2; }
model=$(realpath "$1") config=$(realpath "$2") images=$(realpath "$3")
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
bin=$(realpath "${BIN:-build/cpu/bin}")
work=$(mktemp -d "${TMPDIR:-/tmp}/starting_noise.XXXXXX")
trap 'rm -rf "$work"' EXIT
common=(--device cpu --threads "${THREADS:-1}" --quiet)

# score NAME OPTION...: scores.csv of the part in $work/NAME
score() {
  "$bin/leaf_eval" --model "$model" --config "$config" --split "${PART:-validation}" --no-native \
    --output "$work/$1" "${common[@]}" "${@:2}" >/dev/null
}
# masks NAME OPTION...: of the images and of those one grey level apart, against each other
masks() {
  for side in plain changed; do
    "$bin/leaf_infer" --model "$model" --input "$work/$side" --output "$work/$1-$side" "${common[@]}" "${@:2}"
  done
  "$bin/leaf_eval" --predictions "$work/$1-changed" --ground-truth "$work/$1-plain" --output "$work/$1" \
    "${common[@]}" >/dev/null
}

"$python" - "$images" "$work" "${COUNT:-100}" <<'END'
import pathlib, sys
from PIL import Image
images, work, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
for side in "plain", "changed":
    (work / side).mkdir()
for path in [p for p in sorted(images.iterdir()) if p.suffix.lower() in (".png", ".jpg")][:count]:
    picture = Image.open(path).convert("RGB")
    picture.save(work / "plain" / f"{path.stem}.png")
    corner = picture.crop((0, 0, 16, 16)).point(lambda v: v + 1 if v < 255 else v - 1)
    picture.paste(corner, (0, 0))
    picture.save(work / "changed" / f"{path.stem}.png")
END
for ((seed = 0; seed < ${SEEDS:-10}; ++seed)); do score "seed-$seed" --seed "$seed"; done
masks masks-normal
case ${NOISE:-normal zeros} in *zeros*) score zeros --noise zeros; masks masks-zeros --noise zeros ;; esac

"$python" - "$work" <<'END'
import csv, pathlib, statistics, sys
work = pathlib.Path(sys.argv[1])
dice = lambda name: [float(row["dice"]) for row in csv.DictReader(open(work / name / "scores.csv"))]
seeds = [statistics.mean(dice(folder.name)) for folder in work.glob("seed-*")]
print(f"{len(seeds)} seeds: mean Dice {statistics.mean(seeds):.4f}, standard deviation "
      f"{statistics.stdev(seeds):.4f}, {min(seeds):.4f} to {max(seeds):.4f}")
if (work / "zeros").exists():
    print(f"zeros: mean Dice {statistics.mean(dice('zeros')):.4f}")
for noise in "normal", "zeros":
    if (work / f"masks-{noise}").exists():
        values = dice(f"masks-{noise}")
        print(f"{noise}: one grey level apart, {len(values)} masks: Dice {statistics.mean(values):.4f}, "
              f"smallest {min(values):.4f}")
END
