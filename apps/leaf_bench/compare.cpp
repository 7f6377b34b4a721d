#include "leaf_bench/compare.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "common/progress.h"
#include "common/scored_data.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/folders.h"
#include "leaf/report/model_comparison.h"
#include "leaf/report/report.h"
#include "leaf_bench/operators.h"
#include "leaf_bench/report.h"
#include "leaf_bench/session.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostShown = 10;

/// Of every image, in their order.
struct ModelMasks {
  std::vector<metrics::ImageScore> scores;
  std::vector<at::Tensor> labels;   ///< uint8 [R, R]
  std::vector<at::Tensor> ignored;  ///< pixels that are not scored: uint8 [R, R] or undefined
};

/// Throws ConfigError unless a model's masks are comparable, pixel by pixel, with the first's.
void check_alike(const fs::path& folder, const Preprocessing& model, const fs::path& first_folder,
                 const Preprocessing& first) {
  const auto text = [](const Preprocessing& p) {
    return leaf::str(p.resolution, " px, intensity ", data::intensity_text(p.intensity),
                     ", classes ", join(data::class_names(p.classes), ", "),
                     p.slice_axis ? ", slice_axis " + enum_text(*p.slice_axis) : "");
  };
  if (text(model) != text(first)) {
    throw ConfigError(leaf::str("--compare: '", folder.string(), "' has ", text(model), ", but '",
                                first_folder.string(), "' ", text(first),
                                "; compare models of the same images and masks"));
  }
}

/// Arithmetic of one image, as the operators on a CPU state it.
double gmac_of(const fs::path& folder) {
  BenchSession session(folder, {}, {}, 1);
  const OperatorTimes times = time_operators([&] { session.run(); });
  return std::accumulate(
             times.operators.begin(), times.operators.end(), 0.0,
             [](double sum, const OperatorTime& time) { return sum + time.operations; }) /
         2e9;
}

ModelMasks masks_of(const Segmenter& segmenter, const data::Dataset& dataset,
                    const std::string& title, bool quiet) {
  Progress progress(static_cast<std::int64_t>(dataset.size()), title, stderr_output(quiet));
  ModelMasks masks;
  EvaluationOptions options;
  options.on_labels = [&](std::size_t, const at::Tensor& labels, const at::Tensor& ignored) {
    masks.labels.push_back(labels);
    masks.ignored.push_back(ignored);
  };
  masks.scores = evaluate(segmenter, dataset, options, [&](std::size_t done) {
                   progress.update(static_cast<std::int64_t>(done));
                 }).scores;
  progress.finish();
  return masks;
}

double mean_dice(const std::vector<metrics::ImageScore>& scores) {
  std::vector<double> values;
  for (const metrics::ImageScore& score : scores) {
    values.push_back(score.value("dice"));
  }
  return metrics::statistics(values).mean;
}

/// Models on the same images: what they cost, what their masks are worth, and where they differ.
class Comparison {
 public:
  Comparison(const BenchOptions& options, const Runtime& runtime)
      : options_(options),
        runtime_(runtime),
        config_(config::load_config(options.config, options.overrides)) {
    for (const fs::path& path : options.compare) {
      folders_.push_back(find_model_folder(path));
      const Preprocessing preprocessing = load_description(folders_.back()).preprocessing;
      if (folders_.size() == 1) {
        preprocessing_ = preprocessing;
      }
      check_alike(folders_.back(), preprocessing, folders_.front(), preprocessing_);
    }
    take_slice_axis(config_.data, preprocessing_);
    pairs_ = pairs_of_part(divide(config_, folders_.front()), options.split);
    std::for_each(folders_.begin() + 1, folders_.end(),
                  [this](const fs::path& folder) { warn_of_learned(folder); });
  }

  /// Of images that another model than the first has learned from.
  void warn_of_learned(const fs::path& folder) const {
    const auto run = run_folder_of(folder);
    if (options_.split == enum_text(data::Split::kTrain) || !run ||
        !data::holds_most_of(config_.data.root, *run / kRunSplit)) {
      return;
    }
    const auto learned = data::learned_images(config_.data.root, *run / kRunSplit);
    const auto count = std::count_if(pairs_.begin(), pairs_.end(), [&](const data::Pair& pair) {
      return learned.contains(pair.image.lexically_normal());
    });
    if (count > 0) {
      log::warn(leaf::str("'", folder.string(), "' has learned from ", count, " of these ",
                          pairs_.size(), " images: its scores look better than they are"));
    }
  }

  void run() {
    const data::Dataset dataset = make_dataset(config_.data, pairs_, preprocessing_);
    least_agreement_.assign(pairs_.size(), 1);
    for (const fs::path& folder : folders_) {
      add(folder, dataset);
    }
    dataset.masks().log_lines();
  }

  report::ModelComparison result() const {
    return {.title = leaf::str(options_.split, " part, ", pairs_.size(), " images, ",
                               preprocessing_.resolution, " px, ", runtime_.device.str(), ", ",
                               at::get_num_threads(), " threads, ", options_.common.precision),
            .models = models_};
  }

  /// A contact sheet of the images in which a model agrees least with the first.
  void write_differences(const fs::path& path) const {
    const data::Dataset dataset = make_dataset(config_.data, pairs_, preprocessing_);
    Evaluation of_first;
    of_first.scores = first_.scores;
    const std::vector<std::size_t> shown_places = places();
    for (std::size_t i = 0; options_.masks_only && i < shown_places.size(); ++i) {
      of_first.scores[shown_places[i]].name = std::to_string(i + 1);
    }
    report::Report sheet;
    sheet.evaluation = &of_first;
    sheet.name = models_.front().name;
    sheet.places = shown_places;
    sheet.load_case = [&](std::size_t i) {
      const data::DecodedSample shown = dataset.decoded(i);
      return report::make_case(options_.masks_only ? at::zeros_like(shown.image) : shown.image,
                               shown.mask, first_.labels[i], shown.ignored, preprocessing_.classes);
    };
    for (std::size_t model = 1; model < folders_.size(); ++model) {
      sheet.columns.push_back(
          {models_[model].name, [&, model](const std::vector<std::size_t>& rows) {
             return masks_at(folders_[model], dataset, rows);
           }});
    }
    report::write_figure(path, sheet);
  }

 private:
  SegmenterOptions segmenter_options() const {
    return {.device = runtime_.device, .precision = runtime_.precision};
  }

  void add(const fs::path& folder, const data::Dataset& dataset) {
    report::ComparedModel model{.name = column_title(folder)};
    log::info(leaf::str("timing ", model.name));
    model.gmac = gmac_of(folder);
    model.parameters = parameter_count(load_model(folder));
    auto session = std::make_shared<BenchSession>(folder, segmenter_options(), fs::path(), 1);
    if (models_.empty()) {
      first_session_ = session;
    }
    time_beside_first(*session, model);
    const ModelMasks masks =
        masks_of(session->segmenter(), dataset, model.name, options_.common.quiet);
    model.dice = mean_dice(masks.scores);
    if (models_.empty()) {
      first_ = masks;
    }
    model.agreement = add_agreement(masks);
    models_.push_back(model);
  }

  /// In turns with the first model, since a machine is not as fast at all times; the first's time
  /// is that of all its turns.
  void time_beside_first(BenchSession& session, report::ComparedModel& model) {
    const auto time_one = [](BenchSession& timed) {
      timed.run();  // the processor's caches are as it leaves them, not as the other one does
      return timed.run();
    };
    std::vector<double> own;
    std::vector<double> firsts;
    for (int i = 0; i < options_.runs; ++i) {
      own.push_back(time_one(session));
      if (!models_.empty()) {
        firsts.push_back(time_one(*first_session_));
      }
    }
    model.milliseconds = median(own);
    if (!models_.empty()) {
      first_times_.insert(first_times_.end(), firsts.begin(), firsts.end());
      models_.front().milliseconds = median(first_times_);
      model.times_as_fast = median(firsts) / model.milliseconds;
    }
  }

  /// The mean over the images that have one.
  double add_agreement(const ModelMasks& masks) {
    std::vector<double> agreements;
    for (std::size_t i = 0; i < masks.labels.size(); ++i) {
      agreements.push_back(mask_agreement(masks.labels[i], first_.labels[i], preprocessing_.classes,
                                          first_.ignored[i]));
      least_agreement_[i] = std::min(least_agreement_[i], agreements.back());  // not by NaN
    }
    return metrics::statistics(agreements).mean;
  }

  std::vector<std::size_t> places() const {
    std::vector<std::size_t> order(pairs_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return least_agreement_[a] < least_agreement_[b];
    });
    order.resize(std::min(order.size(), kMostShown));
    return order;
  }

  std::vector<at::Tensor> masks_at(const fs::path& folder, const data::Dataset& dataset,
                                   const std::vector<std::size_t>& rows) const {
    const Segmenter segmenter = Segmenter::load(folder, segmenter_options());
    std::vector<at::Tensor> masks;
    for (const std::size_t row : rows) {
      const data::Sample sample = dataset.load(row);
      masks.push_back(segmenter.labels(
          segmenter.probability(sample.image.unsqueeze(0), ImageNames{sample.name}))[0]);
    }
    return masks;
  }

  const BenchOptions& options_;
  Runtime runtime_;
  Config config_;
  Preprocessing preprocessing_;  ///< of the first model, and so of all
  std::vector<fs::path> folders_;
  std::vector<data::Pair> pairs_;
  std::vector<report::ComparedModel> models_;
  ModelMasks first_;
  std::shared_ptr<BenchSession> first_session_;
  std::vector<double> first_times_;      ///< of its turns beside the others
  std::vector<double> least_agreement_;  ///< of each image, over the models
};

}  // namespace

int compare_models(const BenchOptions& options, const Runtime& runtime) {
  if (options.config.empty()) {
    throw ConfigError("--compare needs --config FILE: the data that the models are scored on");
  }
  Comparison comparison(options, runtime);
  comparison.run();
  const report::ModelComparison result = comparison.result();
  report::write_model_comparison(options.results, result);
  if (result.models.size() > 1) {
    comparison.write_differences(options.results / "differences.png");
  }
  std::cout << result.title << "\n\n"
            << report::model_table(result) << "\nalso in '" << options.results.string()
            << "': models.md, models.csv, models.svg"
            << (result.models.size() > 1 ? ", differences.png" : "") << std::endl;
  return kExitSuccess;
}

}  // namespace leaf::apps
