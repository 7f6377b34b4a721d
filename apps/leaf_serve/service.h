#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "leaf/pipeline/segment_queue.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf_serve/answer.h"
#include "leaf_serve/gate.h"
#include "leaf_serve/limited_server.h"
#include "leaf_serve/metrics.h"

namespace leaf::apps {

struct ServiceOptions {
  GateOptions gate;
  std::int64_t batch_size = 1;
  std::chrono::milliseconds max_wait{5};
  /// Images at work at a time.
  std::size_t queue = 64;
  /// For a request to arrive, for its answer to be made, and for that to be taken.
  std::chrono::milliseconds timeout{30'000};
};

/// Answers over HTTP what docs/serve.md says, with one model.
class Service {
 public:
  /// `model` is the folder that the segmenter was loaded from; the segmenter must outlive this.
  Service(const Segmenter& segmenter, const std::filesystem::path& model,
          const ServiceOptions& options);

  /// Takes a port, 0 for any, from now on; returns it. Throws Error where that fails.
  int bind(int port);
  /// Serves until stop(); the requests that were begun are answered before it returns. Throws Error
  /// where the system gives no more connections.
  void serve();
  /// Ends serve(): new images are refused while those at work are segmented, then nobody is
  /// listened to any more. To be called once, by another thread; nothing before serve() begins.
  void stop();
  bool serving() const { return server_.is_running(); }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void add_routes();
  bool refuse(const Request& request, Response& response) const;
  std::string whole_body(const httplib::ContentReader& read) const;
  void check_running() const;
  void check_room() const;
  void segment(const Request& request, Response& response, const httplib::ContentReader& read);
  void count(const Exchange& exchange);

  ServiceOptions options_;
  AnswerModel model_;
  std::string description_;  ///< of the model, JSON
  Metrics metrics_;
  std::atomic<bool> stopping_ = false;
  SegmentQueue queue_;
  LimitedServer server_;
};

}  // namespace leaf::apps
