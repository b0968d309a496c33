#include "cli/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace symbolon::cli {
namespace {

constexpr std::string_view kUpBy = "\x1b[{}A";
constexpr std::string_view kEraseBelow = "\x1b[J";

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string LiveView::Draw(std::string_view text, std::size_t rows, std::size_t columns) {
  const std::vector<std::string_view> lines = SplitLines(text);
  // The cursor stands below the text.
  const std::size_t room = std::max<std::size_t>(rows, 3) - 1;
  const std::size_t shown = lines.size() <= room ? lines.size() : room - 1;
  std::string drawn;
  if (lines_drawn_ > 0) drawn += fmt::format(fmt::runtime(kUpBy), lines_drawn_);
  drawn += '\r';
  drawn += kEraseBelow;
  for (std::size_t i = 0; i < shown; ++i) drawn += fmt::format("{}\n", lines[i].substr(0, columns));
  if (shown < lines.size()) drawn += fmt::format("... and {} more lines\n", lines.size() - shown);
  lines_drawn_ = shown + (shown < lines.size() ? 1 : 0);
  return drawn;
}

}  // namespace symbolon::cli
