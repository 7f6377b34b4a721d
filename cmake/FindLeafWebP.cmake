# Makes leaf::webp: libwebp and libwebpdemux, whose own CMake package Debian does not ship.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::webp)
  set(LeafWebP_FOUND TRUE)
  return()
endif()

find_path(LEAF_WEBP_INCLUDE webp/demux.h)
find_library(LEAF_WEBP webp)
find_library(LEAF_WEBP_DEMUX webpdemux)
mark_as_advanced(LEAF_WEBP_INCLUDE LEAF_WEBP LEAF_WEBP_DEMUX)
if(NOT LEAF_WEBP_INCLUDE OR NOT LEAF_WEBP OR NOT LEAF_WEBP_DEMUX)
  leaf_missing(LeafWebP "libwebp not found: run ./scripts/setup.sh, or install libwebp-dev")
endif()
add_library(leaf::webp INTERFACE IMPORTED GLOBAL)
set_target_properties(leaf::webp PROPERTIES
  INTERFACE_LINK_LIBRARIES "${LEAF_WEBP_DEMUX};${LEAF_WEBP}"
  INTERFACE_INCLUDE_DIRECTORIES "${LEAF_WEBP_INCLUDE}")
set(LeafWebP_FOUND TRUE)
