# Makes leaf::utf8proc. Debian's package has neither a CMake package nor a find module of CMake's.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::utf8proc)
  set(LeafUtf8proc_FOUND TRUE)
  return()
endif()

find_path(LEAF_UTF8PROC_INCLUDE utf8proc.h)
find_library(LEAF_UTF8PROC utf8proc)
mark_as_advanced(LEAF_UTF8PROC_INCLUDE LEAF_UTF8PROC)
if(NOT LEAF_UTF8PROC_INCLUDE OR NOT LEAF_UTF8PROC)
  leaf_missing(LeafUtf8proc "utf8proc not found: run ./scripts/setup.sh, or install libutf8proc-dev")
endif()
add_library(leaf::utf8proc INTERFACE IMPORTED GLOBAL)
set_target_properties(leaf::utf8proc PROPERTIES
  INTERFACE_LINK_LIBRARIES "${LEAF_UTF8PROC}"
  INTERFACE_INCLUDE_DIRECTORIES "${LEAF_UTF8PROC_INCLUDE}")
set(LeafUtf8proc_FOUND TRUE)
