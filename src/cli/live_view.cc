#include "cli/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace symbolon::cli {
namespace {

constexpr std::string_view kUpBy = "\x1b[{}A";
constexpr std::string_view kEraseBelow = "\x1b[J";
constexpr std::size_t kRowsMin = 3;
constexpr std::size_t kColumnsMin = 3;

constexpr std::size_t kIndentOfTheRest = 6;

// Broken where it is too long, between words if there are any; its rest is indented.
void AddLine(std::string_view text, std::size_t columns, std::vector<std::string>& lines) {
  std::string line;
  while (line.size() + text.size() > columns) {
    const std::size_t room = columns - line.size();
    const std::size_t space = text.substr(0, room + 1).find_last_of(' ');
    const std::size_t begin = text.find_first_not_of(' ');
    const bool between_words = space != std::string_view::npos && space > begin;
    line += text.substr(0, between_words ? space : room);
    text.remove_prefix(between_words ? space + 1 : room);
    lines.push_back(std::exchange(line, std::string(columns > 2 * kIndentOfTheRest ? kIndentOfTheRest : 0, ' ')));
  }
  lines.push_back(line.append(text));
}

std::vector<std::string> SplitLines(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    AddLine(text.substr(0, end), columns, lines);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string LiveView::Draw(std::string_view text, std::size_t rows, std::size_t columns) {
  const std::vector<std::string> lines = SplitLines(text, std::max(columns, kColumnsMin));
  // The cursor stands below the text.
  const std::size_t room = std::max(rows, kRowsMin) - 1;
  const std::size_t shown = lines.size() <= room ? lines.size() : room - 1;
  std::string drawn;
  if (lines_drawn_ > 0) drawn += fmt::format(fmt::runtime(kUpBy), lines_drawn_);
  drawn += '\r';
  drawn += kEraseBelow;
  for (std::size_t i = 0; i < shown; ++i) drawn += lines[i] + '\n';
  if (shown < lines.size()) drawn += fmt::format("... and {} more lines\n", lines.size() - shown);
  lines_drawn_ = shown + (shown < lines.size() ? 1 : 0);
  return drawn;
}

}  // namespace symbolon::cli
