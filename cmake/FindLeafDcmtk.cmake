# Makes leaf::dcmtk: the libraries of DCMTK that read and write files. Its own CMake package makes targets of programs
# and libraries that Debian ships in other packages, and stops where one of them is missing.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::dcmtk)
  set(LeafDcmtk_FOUND TRUE)
  return()
endif()

find_path(LEAF_DCMTK_INCLUDE dcmtk/dcmdata/dctk.h)
mark_as_advanced(LEAF_DCMTK_INCLUDE)
set(leaf_dcmtk_libraries "")
foreach(name dcmjpls dcmjpeg dcmdata oflog ofstd)
  find_library(LEAF_DCMTK_${name} ${name})
  mark_as_advanced(LEAF_DCMTK_${name})
  list(APPEND leaf_dcmtk_libraries ${LEAF_DCMTK_${name}})
endforeach()
if(NOT LEAF_DCMTK_INCLUDE OR leaf_dcmtk_libraries MATCHES "NOTFOUND")
  leaf_missing(LeafDcmtk "DCMTK not found: run ./scripts/setup.sh, or install libdcmtk-dev")
endif()
add_library(leaf::dcmtk INTERFACE IMPORTED GLOBAL)
set_target_properties(leaf::dcmtk PROPERTIES
  INTERFACE_LINK_LIBRARIES "${leaf_dcmtk_libraries}"
  INTERFACE_INCLUDE_DIRECTORIES "${LEAF_DCMTK_INCLUDE}")
set(LeafDcmtk_FOUND TRUE)
