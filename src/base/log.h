// The operator's log. What a client reads is never written with these, and what is written here is never sent to one.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace symbolon::log {

// kOff is for SetLevel: nothing is written.
enum class Level { kDebug, kInfo, kWarning, kError, kOff };

// Lines below `level` are dropped. Default: kInfo. Thread-safe.
void SetLevel(Level level);
// One line to standard error. Thread-safe. Secrets do not belong here: Secret has no formatter, so passing one does not
// compile.
void Write(Level level, std::string_view line);

template <class... Args>
void Debug(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void Warning(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void Error(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace symbolon::log
