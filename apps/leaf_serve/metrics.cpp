#include "leaf_serve/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "leaf/core/strings.h"
#include "leaf_serve/routes.h"

namespace leaf::apps {
namespace {

/// Memory that this process holds now, in bytes.
std::uint64_t resident_bytes() {
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string heading(const std::string& name, const char* type, const char* help) {
  return str("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::add(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
  sum_ += value;
}

std::string Histogram::text(const std::string& name) const {
  std::string lines;
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    so_far += counts_[i];
    lines += str(name, "_bucket{le=\"", bounds_[i], "\"} ", so_far, "\n");
  }
  so_far += counts_.back();
  return lines + str(name, "_bucket{le=\"+Inf\"} ", so_far, "\n", name, "_sum ", exact(sum_), "\n",
                     name, "_count ", so_far, "\n");
}

void Metrics::count(const Exchange& exchange) {
  const std::lock_guard lock(mutex_);
  const bool known = find_route(exchange.path) != nullptr;
  ++requests_[{known ? exchange.path : "other", exchange.status}];
  if (exchange.path == kSegmentPath) {
    seconds_.add(exchange.seconds);
  }
}

void Metrics::count_batch(std::size_t images) {
  const std::lock_guard lock(mutex_);
  images_ += images;
  batches_.add(static_cast<double>(images));
}

std::string Metrics::text(std::size_t queue_length) const {
  const std::lock_guard lock(mutex_);
  std::string text = heading("leaf_requests_total", "counter", "Answers by path and status.");
  for (const auto& [key, count] : requests_) {
    text += str("leaf_requests_total{path=\"", key.first, "\",status=\"", key.second, "\"} ", count,
                "\n");
  }
  return text + heading("leaf_images_total", "counter", "Images that the network has seen.") +
         str("leaf_images_total ", images_, "\n") +
         heading("leaf_batch_images", "histogram", "Images that the network saw at once.") +
         batches_.text("leaf_batch_images") +
         heading("leaf_segment_seconds", "histogram",
                 "From the connection to the answer's end, of requests for /segment.") +
         seconds_.text("leaf_segment_seconds") +
         heading("leaf_queue_images", "gauge", "Images at work, waiting ones included.") +
         str("leaf_queue_images ", queue_length, "\n") +
         heading("leaf_resident_memory_bytes", "gauge", "Memory that the process holds.") +
         str("leaf_resident_memory_bytes ", resident_bytes(), "\n");
}

}  // namespace leaf::apps
