// What went wrong, in words for the person at the terminal.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace symbolon::cli {

struct Failure {
  // May be empty: all has been said.
  std::string message;
  int exit_status = 1;
};

template <class T>
using CliResult = Result<T, Failure>;

inline tl::unexpected<Failure> Fail(std::string message) { return Err(Failure{std::move(message)}); }

}  // namespace symbolon::cli
