// Result<T, E>: an expected failure is a value; a bug is a crash (CHECK).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <tl/expected.hpp>
#include <utility>

namespace symbolon {

// Every module names an error type of its own meaning: `template <class T> using StoreResult = Result<T, StoreError>`.
template <class T, class E>
using Result = tl::expected<T, E>;

template <class E>
[[nodiscard]] constexpr tl::unexpected<std::decay_t<E>> Err(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace symbolon

// An invariant of the program itself, never of its input: on in every build, and the process ends when it does not hold.
#define SYMBOLON_CHECK(condition) \
  do { \
    if (!(condition)) [[unlikely]] ::symbolon::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)

// `SYMBOLON_TRY(auto value, F());` declares value, or returns F's error from the enclosing function. Not for coroutines:
// there use SYMBOLON_CO_TRY.
#define SYMBOLON_TRY(declaration, expression) SYMBOLON_TRY_(declaration, expression, SYMBOLON_UNIQUE_(try_), return)
#define SYMBOLON_CO_TRY(declaration, expression) SYMBOLON_TRY_(declaration, expression, SYMBOLON_UNIQUE_(try_), co_return)
// The same for a Result<void, E>.
#define SYMBOLON_TRY_VOID(expression) \
  do { \
    if (auto try_void_ = (expression); !try_void_) return ::symbolon::Err(std::move(try_void_).error()); \
  } while (false)
#define SYMBOLON_CO_TRY_VOID(expression) \
  do { \
    if (auto try_void_ = (expression); !try_void_) co_return ::symbolon::Err(std::move(try_void_).error()); \
  } while (false)

#define SYMBOLON_CONCAT_(a, b) a##b
#define SYMBOLON_CONCAT(a, b) SYMBOLON_CONCAT_(a, b)
#define SYMBOLON_UNIQUE_(prefix) SYMBOLON_CONCAT(prefix, __LINE__)
#define SYMBOLON_TRY_(declaration, expression, temporary, leave) \
  auto temporary = (expression); \
  if (!temporary) leave ::symbolon::Err(std::move(temporary).error()); \
  declaration = *std::move(temporary)
