// A text on a terminal that is drawn again in its own place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace symbolon::cli {

// Pure; not thread-safe.
class LiveView {
 public:
  // What to write to a terminal of so many rows and columns so that `text` stands where the former one stood. Lines that
  // are too long are broken between words; what does not fit below is cut off, and the last line says so.
  std::string Draw(std::string_view text, std::size_t rows, std::size_t columns);

 private:
  std::size_t lines_drawn_ = 0;
};

}  // namespace symbolon::cli
