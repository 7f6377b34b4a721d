#pragma once

#include <ATen/core/TensorBody.h>

#include <exception>
#include <memory>

#include "audit_log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/folder_inference.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segment_volume.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// An image ready for the network, or the reason why it is not.
struct ImageWork {
  InferenceInput input;
  ImageReport report;
  PreparedFile file;
  std::shared_ptr<const data::Volume> volume;  ///< in place of `file`
  VolumeSegmentation result;                   ///< of it

  bool usable() const { return report.error.empty() && !report.skipped(); }
};

/// What is done before and after the network: reading images and writing their masks. Several
/// threads may use one. What goes wrong with an image is in its report.
class ImageWorker {
 public:
  /// Keeps references; `watch` counts from the call's beginning.
  ImageWorker(const Segmenter& segmenter, const FolderInferenceOptions& options,
              const AuditLog& audit, const Stopwatch& watch)
      : segmenter_(segmenter), options_(options), audit_(audit), watch_(watch) {}

  ImageWork load(const InferenceInput& input) const;

  /// From the network's probability, [C,R,R] or of tiles [C,H,W]; of a volume from its result.
  /// Throws DiskFullError, since those after it have no room either.
  ImageReport write(const ImageWork& work, const at::Tensor& probability) const;

  /// Makes the failure the image's own. What an earlier call wrote, which would be taken for this
  /// image's, is removed.
  void fail(const InferenceInput& input, ImageReport& report, const std::exception& failure) const;

 private:
  void read(ImageWork& work) const;
  void write_image(const ImageWork& work, const at::Tensor& probability, ImageReport& report) const;
  void write_volume(const ImageWork& work, ImageReport& report) const;

  const Segmenter& segmenter_;
  const FolderInferenceOptions& options_;
  const AuditLog& audit_;
  const Stopwatch& watch_;
};

}  // namespace leaf
