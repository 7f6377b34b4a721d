# Makes leaf::nifti: libnifti2, which reads headers of NIfTI-1 and NIfTI-2. Debian's package has no CMake package.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::nifti)
  set(LeafNifti_FOUND TRUE)
  return()
endif()

find_path(LEAF_NIFTI_INCLUDE nifti2_io.h PATH_SUFFIXES nifti)
find_library(LEAF_NIFTI nifti2)
mark_as_advanced(LEAF_NIFTI_INCLUDE LEAF_NIFTI)
if(NOT LEAF_NIFTI_INCLUDE OR NOT LEAF_NIFTI)
  leaf_missing(LeafNifti "libnifti2 not found: run ./scripts/setup.sh, or install libnifti2-dev")
endif()
add_library(leaf::nifti INTERFACE IMPORTED GLOBAL)
set_target_properties(leaf::nifti PROPERTIES
  INTERFACE_LINK_LIBRARIES "${LEAF_NIFTI}"
  INTERFACE_INCLUDE_DIRECTORIES "${LEAF_NIFTI_INCLUDE}")
set(LeafNifti_FOUND TRUE)
