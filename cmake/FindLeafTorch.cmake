# Makes leaf::torch. With LEAF_CUDA, or when Torch_DIR is given, LibTorch's own package is used. Without
# a GPU toolkit that package cannot be used (the wheel's TorchConfig stops without nvcc), so the two
# libraries that the CPU needs are imported directly from LEAF_LIBTORCH.
if(TARGET leaf::torch)
  set(LeafTorch_FOUND TRUE)
  return()
endif()

if(LEAF_CUDA OR Torch_DIR)
  find_package(Torch QUIET PATHS ${LEAF_LIBTORCH})
  if(NOT Torch_FOUND)
    message(FATAL_ERROR "LibTorch's CMake package not found: pass -DTorch_DIR=.../share/cmake/Torch")
  endif()
  add_library(leaf::torch INTERFACE IMPORTED GLOBAL)
  set_target_properties(leaf::torch PROPERTIES
    INTERFACE_LINK_LIBRARIES "${TORCH_LIBRARIES}"
    INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}")
else()
  if(NOT EXISTS ${LEAF_LIBTORCH}/lib/libtorch_cpu.so)
    message(FATAL_ERROR "LibTorch not found in '${LEAF_LIBTORCH}': run ./scripts/setup.sh, "
                        "or pass -DLEAF_LIBTORCH=/path/to/libtorch")
  endif()
  # PyTorch's wheel uses the new C++ ABI; libtorch_cpu finds its CUDA runtime by its own RPATH.
  add_library(leaf_c10 SHARED IMPORTED GLOBAL)
  set_target_properties(leaf_c10 PROPERTIES IMPORTED_LOCATION ${LEAF_LIBTORCH}/lib/libc10.so)
  add_library(leaf_torch_cpu SHARED IMPORTED GLOBAL)
  set_target_properties(leaf_torch_cpu PROPERTIES IMPORTED_LOCATION
    ${LEAF_LIBTORCH}/lib/libtorch_cpu.so)
  add_library(leaf::torch INTERFACE IMPORTED GLOBAL)
  find_package(Threads REQUIRED)
  set_target_properties(leaf::torch PROPERTIES
    INTERFACE_LINK_LIBRARIES "leaf_torch_cpu;leaf_c10;Threads::Threads"
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined"
    INTERFACE_INCLUDE_DIRECTORIES
    "${LEAF_LIBTORCH}/include;${LEAF_LIBTORCH}/include/torch/csrc/api/include")
endif()
set(LeafTorch_FOUND TRUE)
