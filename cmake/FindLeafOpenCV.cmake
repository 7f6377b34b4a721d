# Makes leaf::opencv. OpenCV's own package is taken where it is installed; Debian ships that file only
# with the whole of OpenCV (150 packages), so its three libraries that leaf uses are also found alone.
if(TARGET leaf::opencv)
  set(LeafOpenCV_FOUND TRUE)
  return()
endif()

add_library(leaf::opencv INTERFACE IMPORTED GLOBAL)
find_package(OpenCV QUIET COMPONENTS core imgproc imgcodecs)
if(OpenCV_FOUND)
  set_target_properties(leaf::opencv PROPERTIES
    INTERFACE_LINK_LIBRARIES "${OpenCV_LIBS}"
    INTERFACE_INCLUDE_DIRECTORIES "${OpenCV_INCLUDE_DIRS}")
else()
  find_path(LEAF_OPENCV_INCLUDE opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4)
  find_library(LEAF_OPENCV_CORE opencv_core)
  find_library(LEAF_OPENCV_IMGPROC opencv_imgproc)
  find_library(LEAF_OPENCV_IMGCODECS opencv_imgcodecs)
  mark_as_advanced(LEAF_OPENCV_INCLUDE LEAF_OPENCV_CORE LEAF_OPENCV_IMGPROC LEAF_OPENCV_IMGCODECS)
  if(NOT LEAF_OPENCV_INCLUDE OR NOT LEAF_OPENCV_IMGCODECS OR NOT LEAF_OPENCV_IMGPROC)
    message(FATAL_ERROR "OpenCV not found: run ./scripts/setup.sh, or install libopencv-imgcodecs-dev "
                        "and libopencv-imgproc-dev")
  endif()
  set_target_properties(leaf::opencv PROPERTIES
    INTERFACE_LINK_LIBRARIES
    "${LEAF_OPENCV_IMGCODECS};${LEAF_OPENCV_IMGPROC};${LEAF_OPENCV_CORE}"
    INTERFACE_INCLUDE_DIRECTORIES "${LEAF_OPENCV_INCLUDE}")
endif()
set(LeafOpenCV_FOUND TRUE)
