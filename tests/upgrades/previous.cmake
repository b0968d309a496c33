# Read by the build of the previous release at its project(): the headers of others are precompiled for it as they are
# for today's build (docs/adr/0029-build-time.md). Its sources and its options stay what they were.

# What cmake/precompiled.cmake asks of every target, before there is one.
add_compile_options(-pthread "SHELL:-Xclang -fno-pch-timestamp")

function(previous_targets out folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder ${subfolders})
    previous_targets(more ${subfolder})
    list(APPEND targets ${more})
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()

# At the end of its CMakeLists.txt, when its libraries have been found and its targets are there.
function(previous_use_precompiled)
  previous_targets(targets ${CMAKE_CURRENT_SOURCE_DIR})
  include(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../cmake/precompiled.cmake)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    # Modules are compiled to be loaded, as the precompiled headers are not.
    if(type STREQUAL "STATIC_LIBRARY" OR type STREQUAL "EXECUTABLE")
      symbolon_use_precompiled(${target} symbolon_precompiled)
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL previous_use_precompiled)
