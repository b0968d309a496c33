# Headers of others that most sources read: parsed once instead of 680 times (docs/adr/0029-build-time.md). No
# header of ours is among them: to touch one must not rebuild everything. Sources include what they use all the same;
# a build with SYMBOLON_PRECOMPILED=OFF shows whether they do.
option(SYMBOLON_PRECOMPILED "Precompile the headers of others; OFF also lets ccache serve checkouts in other places" ON)

set(_symbolon_precompiled_headers
  # The standard library.
  <algorithm> <array> <atomic> <cerrno> <charconv> <chrono> <compare> <condition_variable> <coroutine> <cstdint> <cstdlib>
  <cstring> <deque> <exception> <filesystem> <fstream> <functional> <future> <initializer_list> <iterator> <limits> <list>
  <map> <memory> <mutex> <optional> <random> <set> <shared_mutex> <span> <sstream> <stop_token> <string> <string_view>
  <system_error> <thread> <tuple> <type_traits> <unordered_map> <unordered_set> <utility> <variant> <vector>
  # Text, errors, JSON, coroutines.
  <fmt/chrono.h> <fmt/format.h> <tl/expected.hpp> <boost/json.hpp>
  <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp> <boost/asio/use_awaitable.hpp>
  # What protoc's output includes.
  <google/protobuf/arena.h> <google/protobuf/arenastring.h> <google/protobuf/extension_set.h>
  <google/protobuf/generated_enum_reflection.h> <google/protobuf/generated_message_reflection.h>
  <google/protobuf/generated_message_util.h> <google/protobuf/io/coded_stream.h> <google/protobuf/map.h>
  <google/protobuf/map_entry.h> <google/protobuf/map_field_inl.h> <google/protobuf/message.h>
  <google/protobuf/metadata_lite.h> <google/protobuf/repeated_field.h> <google/protobuf/unknown_field_set.h>)

# A precompiled header serves sources that see the same macros only, so every target gets those of these libraries.
set(_symbolon_precompiled_libraries fmt::fmt tl::expected Boost::headers Boost::json protobuf::libprotobuf)

function(_symbolon_precompiled_library target)
  cmake_parse_arguments(arg "" "" "HEADERS;LIBRARIES" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${target}.cc CONTENT "// ${target}: see cmake/precompiled.cmake.\n")
  add_library(${target} OBJECT ${PROJECT_BINARY_DIR}/${target}.cc)
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES})
  target_precompile_headers(${target} PRIVATE ${arg_HEADERS})
endfunction()

if(SYMBOLON_PRECOMPILED)
  # gRPC's and GoogleTest's targets ask for it, and a precompiled header must agree with who uses it.
  add_compile_options(-pthread)
  # Without this the header's own time would be part of it, and no object would ever be found in ccache again.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  _symbolon_precompiled_library(symbolon_precompiled
    HEADERS ${_symbolon_precompiled_headers} LIBRARIES ${_symbolon_precompiled_libraries})
  _symbolon_precompiled_library(symbolon_precompiled_for_tests
    HEADERS ${_symbolon_precompiled_headers} <gmock/gmock.h> <gtest/gtest.h>
    LIBRARIES ${_symbolon_precompiled_libraries} GTest::gtest GTest::gmock)
  target_compile_options(symbolon_precompiled_for_tests PRIVATE ${SYMBOLON_TEST_OPTIONS})
endif()

# symbolon_use_precompiled(TARGET HEADERS [OWN <header> ...]): lets TARGET's sources use HEADERS, one of the two libraries
# above. OWN: generated headers that most of them read as well; they become part of a precompiled header for TARGET alone.
function(symbolon_use_precompiled target headers)
  cmake_parse_arguments(arg "" "" "OWN" ${ARGN})
  if(NOT SYMBOLON_PRECOMPILED)
    return()
  endif()
  foreach(library ${_symbolon_precompiled_libraries})
    target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:${library},INTERFACE_COMPILE_DEFINITIONS>)
  endforeach()
  if(arg_OWN)
    get_target_property(others ${headers} PRECOMPILE_HEADERS)
    target_precompile_headers(${target} PRIVATE ${others} ${arg_OWN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${headers})
  endif()
endfunction()
