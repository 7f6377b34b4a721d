# leaf_embed(OUTPUT NAMESPACE FILE...): writes a C++ file that defines `const char* embedded(const std::string& name)`,
# declared in src/report/templates.h: the files' contents by their names.
function(leaf_embed output namespace)
  set(code "#include \"${CMAKE_CURRENT_SOURCE_DIR}/templates.h\"\n\nnamespace ${namespace} {\n\nconst char* embedded(const std::string& name) {\n")
  foreach(file IN LISTS ARGN)
    set(path ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    file(READ ${path} content)
    string(APPEND code "  if (name == \"${file}\") {\n    return R\"leaf(${content})leaf\";\n  }\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  endforeach()
  string(APPEND code "  return \"\";\n}\n\n}  // namespace ${namespace}\n")
  file(WRITE ${output}.new "${code}")
  configure_file(${output}.new ${output} COPYONLY)  # which leaves a file alone that is the same
endfunction()
