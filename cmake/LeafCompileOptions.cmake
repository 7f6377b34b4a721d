# Compiler and linker flags of everything built here, as one target: leaf_options.
add_library(leaf_options INTERFACE)
target_compile_features(leaf_options INTERFACE cxx_std_20)
target_compile_options(leaf_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${LEAF_WERROR}>:-Werror>)
# GCC 12 reports overflows that cannot happen in std::string's own code (GCC bug 105329).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(leaf_options INTERFACE -Wno-stringop-overflow -Wno-restrict)
endif()
# Overflows that a compiler or a C library can see end the program at once. Sanitizers see more.
if(NOT LEAF_SANITIZE AND NOT LEAF_FUZZ)
  target_compile_options(leaf_options INTERFACE
    -fstack-protector-strong "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
endif()
# -O1 compiles in half the time. What UndefinedBehaviorSanitizer finds ends the program: it would only be printed.
if(LEAF_SANITIZE)
  target_compile_options(leaf_options INTERFACE
    -fsanitize=${LEAF_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g1)
  target_link_options(leaf_options INTERFACE -fsanitize=${LEAF_SANITIZE})
endif()

# Programs and tests spend their time in the library: built quickly, they run no slower.
add_library(leaf_quick_build INTERFACE)
target_compile_options(leaf_quick_build INTERFACE $<$<CONFIG:Release>:-O1>)

find_program(LEAF_CCACHE ccache)
mark_as_advanced(LEAF_CCACHE)
if(LEAF_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header carries time stamps and macros that ccache would otherwise refuse to cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${LEAF_CCACHE})
endif()
