#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/exit_code.h"
#include "common/field_names.h"
#include "common/interrupt.h"
#include "common/run_app.h"
#include "leaf/core/field_names.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folder_inference.h"
#include "leaf_serve/options.h"
#include "leaf_serve/service.h"

namespace leaf::apps {
namespace {

/// Messages of pictures that are too large name this program's option.
void name_own_options() {
  std::vector<FieldName> names = field_names();
  names.insert(names.begin(), {"PictureLimits::max_pixels", "--max-pixels of leaf_serve"});
  set_field_names(names);
}

/// "http://127.0.0.1:8080/"
std::string address(const std::string& host, int port) {
  const bool six = host.find(':') != std::string::npos;
  return str("http://", six ? "[" : "", host, six ? "]" : "", ":", port, "/");
}

/// Layers choose their form on their first call: that is not to be somebody's request.
void warm_up(const Segmenter& segmenter) {
  const std::int64_t side = segmenter.model().description.preprocessing.resolution;
  segmenter.probability(at::zeros({1, 3, side, side}));
}

void stop_when_interrupted(const std::stop_token& ended, Service& service) {
  using namespace std::chrono_literals;
  while (!ended.stop_requested()) {
    if (interrupted() && service.serving()) {
      log::info("stopping: what has begun is finished, nothing new is taken");
      service.stop();
      return;
    }
    std::this_thread::sleep_for(20ms);
  }
}

int run(ServeOptions& o) {
  const Runtime runtime = apply(o.common);
  name_own_options();
  o.segmenter.device = runtime.device;
  o.segmenter.precision = runtime.precision;
  parse_words(o);
  const std::filesystem::path model = find_model_folder(o.model);
  const Segmenter segmenter = Segmenter::load(model, o.segmenter);
  if (o.service.batch_size == kAutoBatch) {
    o.service.batch_size = segmenter.images_at_once();
  }
  Service service(segmenter, model, o.service);
  const int port = service.bind(o.port);
  warm_up(segmenter);
  handle_interrupts();
  std::cout << "serving on " << address(o.service.gate.host, port) << std::endl;
  const std::jthread watcher(
      [&](const std::stop_token& ended) { stop_when_interrupted(ended, service); });
  service.serve();
  return kExitSuccess;
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  CLI::App app{
      "Segments images over HTTP: POST /segment takes an image and gives its mask, GET / is a page "
      "to try it (docs/serve.md). The first signal (Ctrl-C) ends it when what has begun is done.",
      "leaf_serve"};
  leaf::apps::ServeOptions options;
  leaf::apps::add_serve_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] { return leaf::apps::run(options); });
}
