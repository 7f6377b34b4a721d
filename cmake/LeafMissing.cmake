# leaf_missing(PACKAGE TEXT): ends a find module whose package is not there: with an error that says what to do where it
# is required, else as not found.
macro(leaf_missing package)
  if(${package}_FIND_REQUIRED)
    message(FATAL_ERROR ${ARGN})
  endif()
  set(${package}_FOUND FALSE)
  return()
endmacro()
