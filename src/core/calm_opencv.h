#pragma once

#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>

namespace leaf {

/// OpenCV shall neither print nor start threads of its own: leaf reports errors and works on
/// several images at once. Called before OpenCV is.
inline void calm_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace leaf
