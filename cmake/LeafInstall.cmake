# cmake --install: the library, its headers, the programs and a package for find_package(leaf).
include(CMakePackageConfigHelpers)

install(TARGETS leaf leaf_logging leaf_options EXPORT leafTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/leaf DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT leafTargets NAMESPACE leaf:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leaf)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/leafConfig.cmake.in ${PROJECT_BINARY_DIR}/leafConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leaf)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/leafConfig.cmake ${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafTorch.cmake ${PROJECT_SOURCE_DIR}/cmake/FindLeafOpenCV.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leaf)
