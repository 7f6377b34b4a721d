#pragma once

#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>

namespace leaf::data {

/// OpenCV shall neither print nor start threads of its own: leaf reports errors and loads in
/// parallel.
inline void calm_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace leaf::data
