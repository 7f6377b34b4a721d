# Makes leaf::httplib: cpp-httplib, whose functions Debian has in a library. Which macros it was compiled with, so that
# structures are laid out alike, only its pkg-config file states.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::httplib)
  set(LeafHttplib_FOUND TRUE)
  return()
endif()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(LEAF_HTTPLIB QUIET IMPORTED_TARGET GLOBAL cpp-httplib)
endif()
if(NOT LEAF_HTTPLIB_FOUND)
  leaf_missing(LeafHttplib "cpp-httplib not found: run ./scripts/setup.sh, or install libcpp-httplib-dev and pkg-config")
endif()
find_package(Threads REQUIRED)
add_library(leaf::httplib INTERFACE IMPORTED GLOBAL)
target_link_libraries(leaf::httplib INTERFACE PkgConfig::LEAF_HTTPLIB Threads::Threads)
set(LeafHttplib_FOUND TRUE)
