# Compiler settings for every target. g++ 12 miscompiles coroutines (docs/adr/0001-toolchain.md), so clang is required.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Symbolon needs clang 19 or newer: cmake --preset release (found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION})")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# Assertions are contracts and stay on in every build.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -fno-omit-frame-pointer")
# For what tests alone consist of, in every build: optimising it takes longer than it saves (docs/adr/0029-build-time.md).
set(SYMBOLON_TEST_OPTIONS -O0)

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wunused -Wno-missing-field-initializers
                    -fstack-protector-strong -fPIE)
add_link_options(-fuse-ld=lld-19 -pie -Wl,-z,relro,-z,now)

set(SYMBOLON_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
if(SYMBOLON_SANITIZE)
  add_compile_options(-fsanitize=${SYMBOLON_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SYMBOLON_SANITIZE})
endif()

option(SYMBOLON_FUZZ "Build the programs of tests/fuzz; everything is instrumented for them")
if(SYMBOLON_FUZZ)
  # They run for as long as somebody lets them.
  add_compile_options(-fsanitize=fuzzer-no-link -O1)
endif()
