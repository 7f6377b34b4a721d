# cmake --install: the library, its headers, the programs and a package for find_package(leaf).
include(CMakePackageConfigHelpers)
set(LEAF_INSTALL_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/leaf)

install(TARGETS leaf EXPORT leafTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/leaf DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT leafTargets NAMESPACE leaf:: DESTINATION ${LEAF_INSTALL_PACKAGE})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/leafConfig.cmake.in ${PROJECT_BINARY_DIR}/leafConfig.cmake
  INSTALL_DESTINATION ${LEAF_INSTALL_PACKAGE})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/leafConfig.cmake ${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafTorch.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafOpenCV.cmake
        DESTINATION ${LEAF_INSTALL_PACKAGE})

# Every program under apps/. An installed one finds LibTorch where it was when it was built; CMake leaves
# link folders inside the source tree, as third_party/libtorch is, out by itself.
set(install_rpath "")
if(LEAF_LIBTORCH)
  set(install_rpath ${LEAF_LIBTORCH}/lib)
endif()
get_property(app_folders DIRECTORY ${PROJECT_SOURCE_DIR}/apps PROPERTY SUBDIRECTORIES)
foreach(folder IN LISTS app_folders)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      set_target_properties(${target} PROPERTIES
        INSTALL_RPATH "${install_rpath}" INSTALL_RPATH_USE_LINK_PATH ON)
      install(TARGETS ${target})
    endif()
  endforeach()
endforeach()
