# Makes leaf::torch. When Torch_DIR is given, LibTorch's own package is used. Otherwise the libraries that
# leaf uses are imported directly from LEAF_LIBTORCH: the wheel's package stops where no GPU toolkit is
# installed, and asks for libraries that a program needs only where it runs. LEAF_CUDA adds two of them.
include(${CMAKE_CURRENT_LIST_DIR}/LeafMissing.cmake)
if(TARGET leaf::torch)
  set(LeafTorch_FOUND TRUE)
  return()
endif()

if(Torch_DIR)
  find_package(Torch QUIET)
  if(NOT Torch_FOUND)
    leaf_missing(LeafTorch "LibTorch's CMake package not found: pass -DTorch_DIR=.../share/cmake/Torch")
  endif()
  add_library(leaf::torch INTERFACE IMPORTED GLOBAL)
  set_target_properties(leaf::torch PROPERTIES
    INTERFACE_LINK_LIBRARIES "${TORCH_LIBRARIES}"
    INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}")
else()
  if(NOT EXISTS ${LEAF_LIBTORCH}/lib/libtorch_cpu.so)
    leaf_missing(LeafTorch "LibTorch not found in '${LEAF_LIBTORCH}': run ./scripts/setup.sh, "
                 "or pass -DLEAF_LIBTORCH=/path/to/libtorch")
  endif()
  if(LEAF_CUDA AND NOT EXISTS ${LEAF_LIBTORCH}/lib/libtorch_cuda.so)
    leaf_missing(LeafTorch "LEAF_CUDA: '${LEAF_LIBTORCH}' is a LibTorch without CUDA")
  endif()
  # PyTorch's wheel uses the new C++ ABI; libtorch_cpu finds its CUDA runtime by its own RPATH.
  add_library(leaf_c10 SHARED IMPORTED GLOBAL)
  set_target_properties(leaf_c10 PROPERTIES IMPORTED_LOCATION ${LEAF_LIBTORCH}/lib/libc10.so)
  add_library(leaf_torch_cpu SHARED IMPORTED GLOBAL)
  set_target_properties(leaf_torch_cpu PROPERTIES IMPORTED_LOCATION
    ${LEAF_LIBTORCH}/lib/libtorch_cpu.so)
  add_library(leaf::torch INTERFACE IMPORTED GLOBAL)
  find_package(Threads REQUIRED)
  set(leaf_torch_libraries leaf_torch_cpu leaf_c10 Threads::Threads)
  if(LEAF_CUDA)
    # Nothing refers to libtorch_cuda: it registers its operators when it is loaded.
    list(PREPEND leaf_torch_libraries -Wl,--no-as-needed ${LEAF_LIBTORCH}/lib/libtorch_cuda.so
         ${LEAF_LIBTORCH}/lib/libc10_cuda.so -Wl,--as-needed)
  endif()
  set_target_properties(leaf::torch PROPERTIES
    INTERFACE_LINK_LIBRARIES "${leaf_torch_libraries}"
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined"
    INTERFACE_INCLUDE_DIRECTORIES
    "${LEAF_LIBTORCH}/include;${LEAF_LIBTORCH}/include/torch/csrc/api/include")
endif()
set(LeafTorch_FOUND TRUE)
