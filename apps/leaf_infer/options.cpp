#include "leaf_infer/options.h"

#include <CLI/CLI.hpp>

#include "common/segmenter_options.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

constexpr const char* kSliceAxisHelp =
    "Volumes: the axis of the file that slices lie one behind the other along, i, j or k, or auto: "
    "that of the largest distance between voxels [the model's]";

void add_work_options(CLI::App& app, InferOptions& o) {
  app.add_option("--model", o.model, "Model folder, or run folder (its best, else its last)")
      ->required();
  auto* input =
      app.add_option("--input", o.input, "Images, volumes (.nii, .nii.gz) and folders of them");
  auto* watch =
      app.add_option("--watch", o.watch,
                     "In place of --input: a folder whose images, and all that arrive there, are "
                     "segmented until the first signal (Ctrl-C)")
          ->excludes(input);
  app.add_option("--output", o.inference.output,
                 "Folder for masks (NAME.png, of volumes NAME.nii.gz) and summary.json")
      ->required();
  app.add_option("--output-size", o.output_size,
                 "Size of the masks: original (the image's) or model (as validation scores them)")
      ->capture_default_str();
  add_picture_options(app, o.segmenter);
  app.add_option("--max-voxels", o.inference.volumes.limits.max_voxels,
                 "Volumes of more voxels are refused before they are read")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--slice-axis", o.slice_axis, kSliceAxisHelp)->default_str("");
  add_batch_size_option(app, o.batch_size);
  app.add_flag("--run-ahead", o.inference.run_ahead,
               "On a GPU, begin a batch before the masks of the one before are written [off]");
  app.add_flag("--skip-existing", o.inference.skip_existing,
               "Leave images alone whose mask is there, of this model and these settings [off]");
  app.add_flag("--recursive,!--no-recursive", o.recursive,
               "Search folders below --input or --watch [on]");
  app.add_flag("--dicom-series", o.dicom_series,
               "Folders of DICOM files at or below --input are volumes, one series each, not "
               "images [off]")
      ->excludes(watch);
}

void add_mask_options(CLI::App& app, InferOptions& o) {
  add_noise_options(app, o.segmenter, o.noise);
  auto* seeds = app.add_option("--seeds", o.inference.mask.seeds,
                               "Noise samples: the mask is that of their ensemble, and "
                               "uncertainty/NAME.png its entropy (65535: one bit)")
                    ->check(CLI::Range(1, 1000))
                    ->capture_default_str();
  app.add_option("--ensemble", o.ensemble,
                 "Of several noise samples: mean (of their probabilities) or staple (the consensus "
                 "of their masks by STAPLE)")
      ->capture_default_str()
      ->needs(seeds);
  auto* tile = app.add_option("--tile", o.tile,
                              "Cut images into tiles of so many pixels a side, which the network "
                              "sees one by one; the model's resolution without a number [off]")
                   ->expected(0, 1)
                   ->default_str("0")
                   ->check(CLI::Range(0, 65536));
  app.add_option("--tile-overlap", o.tile_overlap,
                 "Share of a tile that its neighbours have too, at least")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str()
      ->needs(tile);
  app.add_option("--postprocess", o.postprocess,
                 "Changes of the masks, in this order: largest-component, fill-holes, "
                 "remove-small=PIXELS, between commas [none]");
}

void add_output_options(CLI::App& app, InferOptions& o) {
  app.add_option(
         "--probabilities", o.probabilities,
         "Also write probabilities/NAME: 8 (PNG, 255 times the probability), 16 (PNG, "
         "65535 times), npy (float32); 8 without a word; of volumes always NIfTI of float32 [off]")
      ->expected(0, 1)
      ->default_str("8");
  app.add_option("--contours", o.contours,
                 "Also write contours/NAME: coco (.json, polygons and run lengths), geojson "
                 "(.geojson, polygons with holes); coco without a word [off]")
      ->expected(0, 1)
      ->default_str(enum_text(ContourFormat::kCoco));
  app.add_option("--overlays", o.overlays,
                 "Also write overlays/NAME.jpg, the mask on the image: outline, or filled; outline "
                 "without a word [off]")
      ->expected(0, 1)
      ->default_str(enum_text(OverlayStyle::kOutline));
  app.add_flag("--labels", o.inference.labels,
               "Also write labels/NAME.png, the mask's connected parts numbered from 1 (16 bits) "
               "[off]");
  app.add_flag("--dicom-seg", o.inference.dicom_seg,
               "Also write dicom-seg/NAME.dcm, the mask of a DICOM file as a DICOM Segmentation "
               "object of its patient and study [off]");
}

}  // namespace

void add_infer_options(CLI::App& app, InferOptions& o) {
  add_work_options(app, o);
  add_mask_options(app, o);
  add_output_options(app, o);
  add_common_options(app, o.common);
}

void parse_words(InferOptions& o) {
  if (o.input.empty() && o.watch.empty()) {
    throw ConfigError("give --input, or --watch with a folder; see leaf_infer --help");
  }
  o.segmenter.noise = parse_enum<StartingNoise>(o.noise, "--noise");
  o.inference.mask.size = parse_enum<OutputSize>(o.output_size, "--output-size");
  o.inference.mask.ensemble = parse_enum<Ensemble>(o.ensemble, "--ensemble");
  o.inference.mask.postprocess = data::parse_postprocess(o.postprocess, "--postprocess");
  if (o.tile) {
    o.inference.mask.tiling = {.side = *o.tile, .overlap = o.tile_overlap};
  }
  o.inference.probabilities = data::find_map_writer(o.probabilities, "--probabilities");
  if (!o.slice_axis.empty()) {
    o.inference.volumes.axis = parse_enum<data::SliceAxis>(o.slice_axis, "--slice-axis");
  }
  o.inference.volumes.limits.slice = o.segmenter.limits;
  o.inference.contours = parse_enum<ContourFormat>(o.contours, "--contours");
  o.inference.overlays = parse_enum<OverlayStyle>(o.overlays, "--overlays");
  o.inference.batch_size = parse_batch_size(o.batch_size);
  require_noise_of_samples(o.segmenter.noise, o.inference.mask.seeds);
  if (o.inference.dicom_seg && o.inference.mask.size == OutputSize::kModel) {
    throw ConfigError(
        "--dicom-seg wants masks of the images' size, not --output-size model; leave one of them "
        "out");
  }
  check_mask_options(o.inference.mask);
}

}  // namespace leaf::apps
