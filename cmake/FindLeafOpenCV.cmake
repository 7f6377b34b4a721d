# Makes leaf::opencv. OpenCV's own package is taken where it is installed; Debian ships that file only
# with the whole of OpenCV (150 packages), so the two libraries that leaf uses are also found alone.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::opencv)
  set(LeafOpenCV_FOUND TRUE)
  return()
endif()

find_package(OpenCV QUIET COMPONENTS core imgproc)
if(OpenCV_FOUND)
  add_library(leaf::opencv INTERFACE IMPORTED GLOBAL)
  set_target_properties(leaf::opencv PROPERTIES
    INTERFACE_LINK_LIBRARIES "${OpenCV_LIBS}"
    INTERFACE_INCLUDE_DIRECTORIES "${OpenCV_INCLUDE_DIRS}")
else()
  find_path(LEAF_OPENCV_INCLUDE opencv2/imgproc.hpp PATH_SUFFIXES opencv4)
  find_library(LEAF_OPENCV_CORE opencv_core)
  find_library(LEAF_OPENCV_IMGPROC opencv_imgproc)
  mark_as_advanced(LEAF_OPENCV_INCLUDE LEAF_OPENCV_CORE LEAF_OPENCV_IMGPROC)
  if(NOT LEAF_OPENCV_INCLUDE OR NOT LEAF_OPENCV_IMGPROC)
    leaf_missing(LeafOpenCV "OpenCV not found: run ./scripts/setup.sh, or install libopencv-imgproc-dev")
  endif()
  add_library(leaf::opencv INTERFACE IMPORTED GLOBAL)
  set_target_properties(leaf::opencv PROPERTIES
    INTERFACE_LINK_LIBRARIES
    "${LEAF_OPENCV_IMGPROC};${LEAF_OPENCV_CORE}"
    INTERFACE_INCLUDE_DIRECTORIES "${LEAF_OPENCV_INCLUDE}")
endif()
set(LeafOpenCV_FOUND TRUE)
