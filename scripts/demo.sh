#!/usr/bin/env bash
# From nothing to masks: sets up, builds, trains a small autoencoder and a small segmentation model on it,
# scores held-out images and segments a folder.
#   ./scripts/demo.sh                on generated pictures (phantoms)
#   ./scripts/demo.sh --data DIR     on your own pairs DIR/images/NAME.* and DIR/masks/NAME.*
#   ./scripts/demo.sh --output DIR   where everything goes (default: runs/demo, or runs/demo-DIR with --data)
# A second call keeps the steps that are complete and resumes the one that is not.
set -euo pipefail
called_from=$PWD
source "$(dirname "$0")/common.sh"

data="" output=""
while [ $# -gt 0 ]; do
  case $1 in
    --data | --output)
      [ $# -ge 2 ] || die "$1 needs a folder"
      printf -v "${1#--}" '%s' "$(cd "$called_from" && realpath -m -- "$2")"
      shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' scripts/demo.sh; exit 0 ;;
    *) die "unknown option '$1'; see scripts/demo.sh --help" ;;
  esac
  shift
done
own_data=$data
if [ -n "$own_data" ]; then
  [ -d "$data/images" ] && [ -d "$data/masks" ] || die "$data has no folders images and masks"
  # Of a dozen, validation and test leave the 8 of one batch to train on.
  count=$(find -L "$data/images" -type f ! -name '.*' | wc -l)
  [ "$count" -ge 12 ] || die "$data/images has $count files; it takes at least 12 pairs, hundreds for a model of use"
  output=${output:-runs/demo-$(basename "$data")}
else
  output=${output:-runs/demo}
  data=$output/phantoms
fi
bin=build/cpu/bin

# Results in one folder must come from one data set.
claim_output() {
  mkdir -p "$output"
  [ -e "$output/data.txt" ] || echo "$data" >"$output/data.txt"
  [ "$(cat "$output/data.txt")" = "$data" ] ||
    die "$output holds a demo on $(cat "$output/data.txt"); name another folder with --output"
}

# make_phantoms FOLDER COUNT SEED
make_phantoms() {
  [ -d "$1" ] || "$bin/leaf_demo_data" --output "$1" --count "$2" --size 96 --seed "$3"
}

# train NAME [OPTION...]: trains configs/demo/NAME.yaml into $output/NAME, unless that is complete.
train() {
  local name=$1 run=$output/$1
  shift
  [ ! -e "$run.complete" ] || { say "$run is complete"; return; }
  # A run that was stopped before its first checkpoint starts anew. With --resume in any case an
  # interrupted run says that the same command goes on, which is true of the demo's.
  [ -n "$(find "$run/checkpoints" -maxdepth 1 -name 'step-*' -print -quit 2>/dev/null)" ] || rm -rf "$run"
  say "training: $name"
  "$bin/leaf_train" --config "configs/demo/$name.yaml" --resume \
    --set "data.root=$data" --set "output.dir=$run" "$@"
  touch "$run.complete"
}

build --target leaf_programs
claim_output
images=$data/images
if [ -z "$own_data" ]; then
  make_phantoms "$data" 800 1
  make_phantoms "$output/new" 12 2  # never trained on, never chosen by
  images=$output/new/images
elif [ ! -e "$output/autoencoder" ]; then
  # What is wrong with a pair shows before minutes of training.
  say "reading $data"
  "$bin/leaf_train" --config configs/demo/autoencoder.yaml --set "data.root=$data" \
    --set "output.dir=$output/autoencoder" --dry-run --quiet
fi

train autoencoder
train segmentation --set "model.autoencoder.weights=$output/autoencoder/best"

say "scoring the test part"
"$bin/leaf_eval" --model "$output/segmentation" --config configs/demo/segmentation.yaml --split test \
  --set "data.root=$data" --output "$output/scores" --overlays 8
say "segmenting $images"
"$bin/leaf_infer" --model "$output/segmentation" --input "$images" --output "$output/masks" --overlays

cat <<END

Done. What there is to see:
  masks      $output/masks/             one per image of $images, at its own size
  pictures   $output/masks/overlays/    the masks' outlines on the images
  scores     $output/scores/            scores.csv, summary.json; overlays/ has prediction and truth
  the model  $output/segmentation/best/ (training log: $output/segmentation/log.txt)

The same on pairs of your own, DIR/images/NAME.png with DIR/masks/NAME.png:
  ./scripts/demo.sh --data DIR
and the model on other images:
  $bin/leaf_infer --model $output/segmentation --input IMAGES --output MASKS --overlays
To start over: rm -r $output
END
