# One module = one folder = one CMake target = one namespace.
include(CMakeParseArguments)

# symbolon_module(NAME SOURCES a.cc ... [PROTOS x.proto ...] [TESTS a_test.cc ...]
#                 [DEPENDS modules-and-libraries-in-headers ...] [PRIVATE libraries-in-sources-only ...]
#                 [TEST_DEPENDS ...] [PRECOMPILED <generated-header> ...])
# makes the library symbolon_NAME and, if TESTS are named, the test program symbolon_NAME_test. Modules are named as
# symbolon_NAME in DEPENDS.
function(symbolon_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;PROTOS;TESTS;DEPENDS;PRIVATE;TEST_DEPENDS;PRECOMPILED" ${ARGN})
  set(target symbolon_${name})
  set(sources ${arg_SOURCES})
  if(arg_PROTOS)
    _symbolon_protos(generated ${arg_PROTOS})
    list(APPEND sources ${generated})
  endif()
  if(NOT sources)
    message(FATAL_ERROR "module ${name} has no sources")
  endif()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_include_directories(${target} SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(${target} PUBLIC ${arg_DEPENDS} PRIVATE ${arg_PRIVATE})
  if(arg_PROTOS)
    target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
  endif()
  symbolon_use_precompiled(${target} symbolon_precompiled OWN ${arg_PRECOMPILED})
  _symbolon_record_sources(${arg_SOURCES})
  if(arg_TESTS)
    symbolon_test(${target}_test SOURCES ${arg_TESTS} DEPENDS ${target} ${arg_TEST_DEPENDS}
      PRECOMPILED ${arg_PRECOMPILED})
  endif()
endfunction()

# What ctest runs, without the programs that it does not.
add_custom_target(symbolon_tests)

# symbolon_test(TARGET SOURCES ... DEPENDS ... [PRECOMPILED ...]): a GoogleTest program whose cases ctest runs one by
# one; TARGET is their label.
function(symbolon_test target)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRECOMPILED" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(${target} PRIVATE ${SYMBOLON_TEST_OPTIONS})
  symbolon_use_precompiled(${target} symbolon_precompiled_for_tests OWN ${arg_PRECOMPILED})
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${target})
  add_dependencies(symbolon_tests ${target})
  _symbolon_record_sources(${arg_SOURCES})
endfunction()

# symbolon_program(TARGET SOURCES ... DEPENDS ...): an executable in bin/.
function(symbolon_program target)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_DEPENDS})
  symbolon_use_precompiled(${target} symbolon_precompiled)
  _symbolon_record_sources(${arg_SOURCES})
endfunction()

# symbolon_fuzzer(TARGET SOURCES ... DEPENDS ...): a libFuzzer program in bin/, in builds with SYMBOLON_FUZZ only.
function(symbolon_fuzzer target)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  _symbolon_record_sources(${arg_SOURCES})
  if(SYMBOLON_FUZZ)
    add_executable(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE ${arg_DEPENDS})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    symbolon_use_precompiled(${target} symbolon_precompiled)
  endif()
endfunction()

function(symbolon_add_modules)
  foreach(folder ${ARGN})
    if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
      add_subdirectory(${folder})
    endif()
  endforeach()
endfunction()

# A source or test file that no target names would rot unseen: refuse to configure.
function(symbolon_check_every_source_is_listed)
  get_property(listed GLOBAL PROPERTY SYMBOLON_SOURCES)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cc ${PROJECT_SOURCE_DIR}/tests/*.cc)
  list(FILTER found EXCLUDE REGEX "/node_modules/")
  foreach(file ${found})
    if(NOT file IN_LIST listed)
      message(SEND_ERROR "${file} is in no target: name it in its folder's CMakeLists.txt")
    endif()
  endforeach()
endfunction()

function(_symbolon_record_sources)
  foreach(source ${ARGN})
    get_filename_component(path ${source} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY SYMBOLON_SOURCES ${path})
  endforeach()
endfunction()

# Compiles .proto files into <build>/generated/<folder under src>/; services become gRPC code as well.
function(_symbolon_protos out)
  set(generated)
  foreach(proto ${ARGN})
    get_filename_component(path ${proto} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR}/src ${path})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(base ${PROJECT_BINARY_DIR}/generated/${stem})
    set(outputs ${base}.pb.cc ${base}.pb.h)
    set(options)
    file(STRINGS ${path} services REGEX "^service ")
    if(services)
      list(APPEND outputs ${base}.grpc.pb.cc ${base}.grpc.pb.h)
      set(options --grpc_out=${PROJECT_BINARY_DIR}/generated --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
    endif()
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated)
    add_custom_command(OUTPUT ${outputs}
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}/src --cpp_out=${PROJECT_BINARY_DIR}/generated ${options} ${relative}
      DEPENDS ${path} VERBATIM)
    list(APPEND generated ${outputs})
    foreach(output ${outputs})
      set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS "-Wno-all;-Wno-extra;-Wno-pedantic;-Wno-shadow;-Wno-unused-parameter;-Wno-missing-prototypes")
    endforeach()
  endforeach()
  set(${out} ${generated} PARENT_SCOPE)
endfunction()
