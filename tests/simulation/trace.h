// What happened, in order: hashed always, so that two runs can be compared, and printed when asked.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "scheduler.h"

namespace symbolon::simulation {

class Trace {
 public:
  Trace(Scheduler& scheduler, bool print) : scheduler_(scheduler), print_(print) {}

  template <class... Args>
  void Say(fmt::format_string<Args...> format, Args&&... args) {
    const std::string line = fmt::format("{:12.6f} {}\n", std::chrono::duration<double>(scheduler_.now()).count(),
                                         fmt::format(format, std::forward<Args>(args)...));
    digest_.Update(line);
    if (print_) std::fputs(line.c_str(), stdout);
  }
  // Starts anew.
  std::string Digest() { return HexEncode(digest_.Finish()); }

 private:
  Scheduler& scheduler_;
  const bool print_;
  crypto::Sha256Stream digest_;
};

}  // namespace symbolon::simulation
