#include "leaf_serve/service.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "leaf_serve/request.h"
#include "leaf_serve/routes.h"
#include "leaf_serve/templates.h"

namespace leaf::apps {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kUnavailable = 503;

/// Names in messages need not be UTF-8, JSON must be.
std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void set_error(httplib::Response& response, int status, const std::string& message) {
  response.status = status;
  response.set_content(json_text({{"error", message}}), kJsonType);
  if (status == 401) {
    response.set_header("WWW-Authenticate", "Bearer");
  }
  if (status == kUnavailable) {
    response.set_header("Retry-After", "1");
  }
}

int status_of(const std::exception& failure) {
  if (const auto* refused = dynamic_cast<const RequestError*>(&failure)) {
    return refused->status();
  }
  if (dynamic_cast<const QueueFullError*>(&failure) != nullptr) {
    return kUnavailable;
  }
  if (dynamic_cast<const TimeoutError*>(&failure) != nullptr) {
    return 504;
  }
  return dynamic_cast<const DataError*>(&failure) != nullptr ? 422 : 500;
}

/// Runs `task`; what it throws is the answer.
template <typename Task>
bool succeeds(httplib::Response& response, const Task& task) {
  try {
    task();
    return true;
  } catch (const std::exception& failure) {
    const int status = status_of(failure);
    if (status == 500) {
      log::error(str("a request failed: ", plain_message(failure)));
    }
    set_error(response, status, plain_message(failure));
    return false;
  }
}

std::string describe(const Segmenter& segmenter, const std::filesystem::path& folder) {
  const Preprocessing& preprocessing = segmenter.model().description.preprocessing;
  const SegmenterOptions& options = segmenter.options();
  Json json = {{"leaf", version()},
               {"model_sha256", model_sha256(folder)},
               {"classes", data::class_names(preprocessing.classes)},
               {"resolution", preprocessing.resolution},
               {"num_inference_steps", options.num_inference_steps},
               {"seed", options.seed},
               {"noise", enum_text(options.noise)},
               {"precision", enum_text(options.precision)},
               {"device", options.device.str()},
               {"max_pixels", options.limits.max_pixels}};
  if (!preprocessing.classes.several()) {
    json["threshold"] = preprocessing.threshold;
  }
  return json_text(json);
}

/// What httplib answers by itself (400, 414, ...) has no body: it gets one of ours.
void fill_error(const httplib::Request& /*request*/, httplib::Response& response) {
  if (response.body.empty()) {
    set_error(response, response.status,
              response.status == 414 ? "the address is too long" : "this is no HTTP request");
  }
}

void show_page(const httplib::Request& /*request*/, httplib::Response& response) {
  response.set_header("Content-Security-Policy",
                      "default-src 'none'; connect-src 'self'; img-src blob: data:; "
                      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                      "frame-ancestors 'self'; base-uri 'none'; form-action 'none'");
  response.set_content(embedded("page.html"), "text/html; charset=utf-8");
}

std::string log_line(const Exchange& exchange) {
  return str("request method=", exchange.method.empty() ? "-" : printable(exchange.method),
             " path=", exchange.path.empty() ? "-" : printable(exchange.path),
             " status=", exchange.status, " received=", exchange.received, " sent=", exchange.sent,
             " milliseconds=", fixed(1000 * exchange.seconds, 1));
}

}  // namespace

Service::Service(const Segmenter& segmenter, const std::filesystem::path& model,
                 const ServiceOptions& options)
    : options_(options),
      model_{segmenter.classes(), segmenter.model().description.preprocessing.threshold},
      description_(describe(segmenter, model)),
      queue_(segmenter, {.mask = {},
                         .batch_size = options.batch_size,
                         .max_wait = options.max_wait,
                         .capacity = options.queue,
                         .on_batch = [this](std::size_t images) { metrics_.count_batch(images); }}),
      // Besides the images at work, as many connections as send, wait to be refused or only ask.
      server_({.timeout = options.timeout,
               .max_bytes = options.gate.max_bytes,
               .connections = options.queue + 64},
              {.stopping = [this] { return stopping_.load(); },
               .on_exchange = [this](const Exchange& exchange) { count(exchange); }}) {
  add_routes();
}

void Service::add_routes() {
  server_.set_pre_routing_handler([this](const Request& request, Response& response) {
    return refuse(request, response) ? httplib::Server::HandlerResponse::Handled
                                     : httplib::Server::HandlerResponse::Unhandled;
  });
  server_.set_expect_100_continue_handler([this](const Request& request, Response& response) {
    return refuse(request, response) ? response.status : 100;
  });
  server_.set_error_handler(httplib::Server::Handler(fill_error));
  server_.set_default_headers(
      {{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
  server_.Get(kPagePath, show_page);
  server_.Get(kHealthPath, [this](const Request&, Response& response) {
    response.status = stopping_ ? kUnavailable : 200;
    response.set_content(json_text({{"status", stopping_ ? "stopping" : "ok"}}), kJsonType);
  });
  server_.Get(kModelPath, [this](const Request&, Response& response) {
    response.set_content(description_, kJsonType);
  });
  server_.Get(kMetricsPath, [this](const Request&, Response& response) {
    response.set_content(metrics_.text(queue_.size()), "text/plain; version=0.0.4");
  });
  server_.Post(kSegmentPath, [this](const Request& request, Response& response,
                                    const httplib::ContentReader& read) {
    succeeds(response, [&] { segment(request, response, read); });
  });
}

/// Answers what is not to be served, before its body is read.
bool Service::refuse(const Request& request, Response& response) const {
  const bool fits = succeeds(response, [&] {
    check_request(request, options_.gate);
    if (request.path == kSegmentPath) {
      check_room();
    }
  });
  if (response.status == 405) {
    response.set_header("Allow", find_route(request.path)->method);
  }
  return !fits;
}

void Service::check_running() const {
  if (stopping_) {
    throw RequestError(kUnavailable, "the server is stopping");
  }
}

void Service::check_room() const {
  check_running();
  if (queue_.size() >= options_.queue) {
    throw RequestError(kUnavailable, str(options_.queue, " images wait already; try again later"));
  }
}

/// What arrives while the server stops is no image at work.
std::string Service::whole_body(const httplib::ContentReader& read) const {
  try {
    std::string body = read_body(read, options_.gate.max_bytes);
    check_running();
    return body;
  } catch (const RequestError&) {
    check_running();
    throw;
  }
}

void Service::segment(const Request& request, Response& response,
                      const httplib::ContentReader& read) {
  const SegmentQuery query = parse_query(request.params);
  check_query(query, model_);
  const std::string body = whole_body(read);
  const Upload upload = find_upload(body, request.get_header_value(kBodyType));
  const std::string file_name = query.name.value_or(upload.file_name);
  Answer answer;
  queue_.segment(
      {.bytes = upload.bytes,
       .title = file_name.empty() ? "image" : printable(file_name),
       .name = noise_name(file_name),
       .deadline = Clock::now() + options_.timeout},
      [&](const SegmentedImage& image) { answer = make_answer(image, query, model_, file_name); });
  response.set_content(answer.body, answer.type);
}

void Service::count(const Exchange& exchange) {
  metrics_.count(exchange);
  log::info(log_line(exchange));
}

int Service::bind(int port) {
  errno = 0;
  const int bound = port == 0 ? server_.bind_to_any_port(options_.gate.host)
                              : (server_.bind_to_port(options_.gate.host, port) ? port : -1);
  if (bound < 0) {
    const std::string reason = errno == 0 ? "no such address" : std::strerror(errno);
    throw Error(str("cannot listen on ", options_.gate.host, " port ", port, ": ", reason,
                    "; choose another --host or --port"));
  }
  return bound;
}

void Service::serve() {
  if (!server_.listen_after_bind() && !stopping_) {
    throw Error(str("the system gives no more connections on ", options_.gate.host,
                    " (no memory, or too many open files): the server has ended; start it again"));
  }
}

void Service::stop() {
  stopping_ = true;
  const auto deadline = Clock::now() + options_.timeout;
  while (queue_.size() > 0 && Clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  server_.stop();
}

}  // namespace leaf::apps
