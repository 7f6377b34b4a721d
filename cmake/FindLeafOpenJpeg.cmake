# Makes leaf::openjpeg: libopenjp2, which decodes JPEG 2000. Its own CMake package makes targets of programs and
# libraries that Debian ships in other packages, and says so at length for each that is missing.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::openjpeg)
  set(LeafOpenJpeg_FOUND TRUE)
  return()
endif()

find_path(LEAF_OPENJPEG_INCLUDE openjpeg.h PATH_SUFFIXES openjpeg-2.5)
find_library(LEAF_OPENJPEG openjp2)
mark_as_advanced(LEAF_OPENJPEG_INCLUDE LEAF_OPENJPEG)
if(NOT LEAF_OPENJPEG_INCLUDE OR NOT LEAF_OPENJPEG)
  leaf_missing(LeafOpenJpeg "OpenJPEG not found: run ./scripts/setup.sh, or install libopenjp2-7-dev")
endif()
add_library(leaf::openjpeg INTERFACE IMPORTED GLOBAL)
set_target_properties(leaf::openjpeg PROPERTIES
  INTERFACE_LINK_LIBRARIES "${LEAF_OPENJPEG}"
  INTERFACE_INCLUDE_DIRECTORIES "${LEAF_OPENJPEG_INCLUDE}")
set(LeafOpenJpeg_FOUND TRUE)
