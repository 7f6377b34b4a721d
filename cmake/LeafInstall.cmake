# cmake --install: the library, its headers and a package for find_package(leaf); apps/ adds the programs.
include(CMakePackageConfigHelpers)
set(LEAF_INSTALL_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/leaf)

install(TARGETS leaf EXPORT leafTargets)
install(TARGETS leaf_training EXPORT leafTrainingTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/leaf DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(targets leafTargets leafTrainingTargets leafCTargets)
  install(EXPORT ${targets} NAMESPACE leaf:: DESTINATION ${LEAF_INSTALL_PACKAGE})
endforeach()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/leafConfig.cmake.in ${PROJECT_BINARY_DIR}/leafConfig.cmake
  INSTALL_DESTINATION ${LEAF_INSTALL_PACKAGE})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/leafConfig.cmake ${PROJECT_BINARY_DIR}/leafConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/LeafMissing.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafTorch.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafNifti.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafDcmtk.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafOpenJpeg.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafOpenCV.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafUtf8proc.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLeafWebP.cmake
        DESTINATION ${LEAF_INSTALL_PACKAGE})
