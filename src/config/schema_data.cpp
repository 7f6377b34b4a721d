#include "config/field_types.h"
#include "config/schema_sections.h"

namespace leaf::config {
namespace {

constexpr double kLargestResolution = 16384;
constexpr double kStrongestBlur = 50;

Fields split_fields(data::SplitConfig& s) {
  return {
      choice(
          "data.split.strategy", s.strategy,
          "random: seeded shuffle; tail: the sorted list's end validates and tests; groups: whole "
          "groups stay together; manifest: as listed; published: the reference's protocol, where "
          "validation and test are the same images; nnunet: a fold of its splits_final.json trains "
          "and validates."),
      number("data.split.validation", s.validation, at_least(0),
             "Validation part: a fraction (below 1) or a count of pairs."),
      number("data.split.test", s.test, at_least(0),
             "Test part: a fraction (below 1) or a count of pairs."),
      path("data.split.manifest", s.manifest,
           "For manifest: CSV with the header image,mask,split (a split.csv of an earlier run)."),
      path("data.split.groups", s.groups,
           "For groups: CSV with the header name,group and a line per image, named without "
           "extension; with two columns in this order they may be called otherwise."),
      path(
          "data.split.folds", s.folds,
          "For nnunet: its splits_final.json, a list of folds with the names (train, val) of their "
          "cases: images without extension, with or without nnU-Net's _0000."),
      integer("data.split.fold", s.fold, at_least(0), "For nnunet: which of the folds, from 0."),
  };
}

Fields data_source_fields(data::DataConfig& d) {
  return {
      word("data.dataset", d.dataset,
           {"folder", "cvc-clinicdb", "isic2018", "qata-cov19", "refuge2", "nnunet"},
           "Layout of the files; folder is any pair of image and mask folders, nnunet a data set "
           "with nnU-Net's dataset.json, images or volumes (NIfTI), whose labels are the classes "
           "unless data.classes is set."),
      harmless(path("data.root", d.root, "The data set's folder.")),
      text("data.images", d.images, "folder only: sub-folder of root with the images."),
      text("data.masks", d.masks, "folder only: sub-folder of root with the masks."),
      text("data.mask_prefix", d.mask_prefix,
           "folder only: what a mask's name has before its image's name."),
      text("data.mask_suffix", d.mask_suffix,
           "folder only: what a mask's name has after its image's name."),
  };
}

Fields augment_fields(data::Augmentation& a) {
  return {
      number("data.augment.quarter_turns", a.quarter_turns, between(0, 1),
             "Probability of a turn by 90, 180 or 270 degrees while training. This and the keys "
             "that follow are beyond the paper, which mirrors alone."),
      number_pair("data.augment.scale", a.scale_low, a.scale_high,
                  "Image and mask are enlarged by a factor from this range, as [0.8, 1.25], about "
                  "a random place, and cut or, where they are smaller, mirrored at their borders; "
                  "the mask by nearest neighbours."),
      number("data.augment.brightness", a.brightness, between(0, 1),
             "Largest change of an image's values (0 to 1), up or down."),
      number("data.augment.contrast", a.contrast, from_to_below(0, 1),
             "Largest change of their distance from their mean, as a share."),
      number("data.augment.hue", a.hue, between(0, 0.5),
             "Largest turn of its hues, as a share of the colour circle."),
      number("data.augment.blur", a.blur, between(0, kStrongestBlur),
             "Largest standard deviation of a Gaussian blur, in pixels of data.resolution."),
      number("data.augment.noise", a.noise, between(0, 1),
             "Largest standard deviation of Gaussian noise on its values (0 to 1)."),
  };
}

}  // namespace

Fields data_fields(data::DataConfig& d) {
  Fields fields = data_source_fields(d);
  append(fields, split_fields(d.split));
  append(
      fields,
      {integer("data.resolution", d.resolution, between(8, kLargestResolution),
               "Side in pixels of the square that images are resized to."),
       choice("data.intensity", d.intensity.rule,
              "Which values of an image file become black and white. full: 0 and the largest "
              "that its bits can hold; range: the smallest and the largest in the image, for "
              "CT, MR and X-ray pictures of 12 bits in 16; window: those of data.window. The "
              "model folder records it."),
       number_pair("data.window", d.intensity.low, d.intensity.high,
                   "For window: the values that become black and white, as the files hold them, "
                   "as [-1000, 400]."),
       integer("data.mask_threshold", d.mask_threshold, between(0, 254),
               "Grey values of a mask above this are foreground (as leaf_eval --threshold); of "
               "255, in deeper files in proportion; 0: every value but 0."),
       integer("data.ignore_value", d.ignore_value, between(-1, 65535),
               "Mask pixels of this value (a void border's 255) are left out of scores, and are "
               "background in training; -1: none."),
       class_list("data.classes", d.classes,
                  "What the pixels of masks are, the background first. Two names: what "
                  "data.mask_threshold divides. Else 2 to 8 items NAME=VALUES, as "
                  "[background=0, disc=128, cup=255], and any ignore=VALUES, pixels that are left "
                  "out of scores; VALUES are those of the files (grey values, a palette's indices, "
                  "or colours #rrggbb), several joined by +. The model folder records them."),
       choice("data.class_coding", d.classes.coding,
              "How several classes become the autoencoder's image. colours: a colour each; "
              "channels: up to three nested classes, each within the one before it (a cup in its "
              "disc), are channels, and each one's scores count what lies within it."),
       choice("data.mask_orientation", d.mask_orientation,
              "Whose pixels a mask has where its image is a turned photograph: stored, "
              "displayed, or auto, which is stored unless the size fits the displayed image "
              "alone. A mask file's own orientation comes first."),
       choice("data.slice_axis", d.slice_axis,
              "Volumes (NIfTI): the axis of the file that slices lie one behind the other along; "
              "auto: the one with the largest distance between voxels, of equal ones the nearest "
              "to the patient's long axis; a file of one slice is that slice. The model folder "
              "records it; leaf_infer has --slice-axis."),
       choice("data.crop", d.crop,
              "disc: image and mask are cut to the square round the optic disc of a label map "
              "(refuge2), as the published numbers have it."),
       number("data.crop_margin", d.crop_margin, at_least(0),
              "What the crop has beyond the disc on each side, as a multiple of its longer "
              "side."),
       number("data.horizontal_flip", d.horizontal_flip, between(0, 1),
              "Probability of a horizontal flip while training."),
       number("data.vertical_flip", d.vertical_flip, between(0, 1),
              "Probability of a vertical flip while training.")});
  append(fields, augment_fields(d.augment));
  append(
      fields,
      {harmless(
           integer("data.num_workers", d.num_workers, at_least(0),
                   "Threads that load images beside training; 0 loads in the training thread.")),
       harmless(integer(
           "data.cache_mb", d.cache_mb, at_least(0),
           "Keep decoded, resized images in up to this many megabytes; 0 decodes every time."))});
  return fields;
}

}  // namespace leaf::config
