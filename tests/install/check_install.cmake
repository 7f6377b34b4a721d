# cmake -DBUILD_DIR= -DGENERATOR= -DCXX_COMPILER= [-DLAUNCHER=] [-DLINK_FLAGS=] -P check_install.cmake
set(work ${BUILD_DIR}/install-test)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed (${result}): ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${work}/prefix)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${work}/build -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${work}/prefix -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
    -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_EXE_LINKER_FLAGS=${LINK_FLAGS})
run(${CMAKE_COMMAND} --build ${work}/build)
# It says what is wrong, and what it sees in a picture where a program of leaf's sees the same.
execute_process(COMMAND ${work}/build/consumer no-such-model image.png mask.png OUTPUT_VARIABLE output)
if(NOT output MATCHES "^leaf [0-9]+[.][0-9]+[.][0-9]+\nlog: one line\nfailed: .*no-such-model")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()
set(bin ${work}/prefix/bin)
run(${bin}/leaf_demo_data --output ${work}/data --count 1 --size 64)
run(${bin}/leaf_convert random --config ${CMAKE_CURRENT_LIST_DIR}/tiny.yaml --to ${work}/model)
run(${bin}/leaf_infer --model ${work}/model --input ${work}/data/images --output ${work}/masks --device cpu)
file(GLOB image ${work}/data/images/*.png)
get_filename_component(name ${image} NAME)
run(${work}/build/consumer ${work}/model ${image} ${work}/mask.png)
if(NOT output MATCHES "\nforeground [0-9.]+\n$")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()
run(${CMAKE_COMMAND} -E compare_files ${work}/mask.png ${work}/masks/${name})

run(${work}/build/training ${CMAKE_CURRENT_LIST_DIR}/tiny.yaml)
if(NOT output MATCHES "^[0-9]+\n$")
  message(FATAL_ERROR "the program on leaf::training printed: ${output}")
endif()

# A program in C.
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/../../examples/c -B ${work}/build-c -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${work}/prefix -DCMAKE_EXE_LINKER_FLAGS=${LINK_FLAGS})
run(${CMAKE_COMMAND} --build ${work}/build-c)
run(${work}/build-c/segment ${work}/model ${image} ${work}/mask.pgm)
find_program(pkg_config pkg-config)
if(pkg_config)  # the prefix is the one of the installation
  file(GLOB_RECURSE description ${work}/prefix/leaf.pc)
  cmake_path(GET description PARENT_PATH folder)
  run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${folder} ${pkg_config} --variable=includedir leaf)
  string(STRIP "${output}" include)
  if(NOT EXISTS ${include}/leaf.h)
    message(FATAL_ERROR "pkg-config looks for leaf.h in ${include}")
  endif()
endif()

run(${CMAKE_COMMAND} -P ${CMAKE_CURRENT_LIST_DIR}/../check_programs.cmake ${work}/prefix/bin)
# The installed programs start from where they are.
file(GLOB programs ${work}/prefix/bin/*)
foreach(program IN LISTS programs)
  run(${program} --version)
endforeach()
file(REMOVE_RECURSE ${work})
