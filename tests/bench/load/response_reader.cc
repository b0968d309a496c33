#include "load/response_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace symbolon::bench {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kBodyBytesMax = 16 << 20;
constexpr std::size_t kStatusAt = std::string_view("HTTP/1.1 ").size();

template <class Number>
std::optional<Number> Parse(std::string_view text) {
  Number number{};
  const auto parsed = std::from_chars(text.begin(), text.end(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.end() ? std::optional(number) : std::nullopt;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

ResponseReader::Progress ResponseReader::Take(std::string_view octets) {
  buffer_.append(octets);
  if (head_bytes_ == 0) {
    const std::size_t head_end = buffer_.find(kHeadEnd);
    if (head_end == std::string::npos) {
      return buffer_.size() > kHeadBytesMax ? Progress::kMalformed : Progress::kNeedMore;
    }
    head_bytes_ = head_end + kHeadEnd.size();
    if (!ParseHead(std::string_view(buffer_).substr(0, head_end))) return Progress::kMalformed;
  }
  return buffer_.size() < end_ ? Progress::kNeedMore : Progress::kDone;
}

bool ResponseReader::ParseHead(std::string_view head) {
  if (!head.starts_with("HTTP/1.") || head.size() < kStatusAt + 3) return false;
  const auto status = Parse<int>(head.substr(kStatusAt, 3));
  if (!status) return false;
  status_ = *status;
  keeps_alive_ = true;
  std::optional<std::size_t> body_bytes;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (EqualIgnoringCase(name, "Content-Length")) body_bytes = Parse<std::size_t>(value);
    if (EqualIgnoringCase(name, "Connection") && EqualIgnoringCase(value, "close")) keeps_alive_ = false;
  }
  if (!body_bytes || *body_bytes > kBodyBytesMax) return false;
  end_ = head_bytes_ + *body_bytes;
  return true;
}

void ResponseReader::Next() {
  buffer_.erase(0, end_);
  head_bytes_ = end_ = 0;
}

}  // namespace symbolon::bench
