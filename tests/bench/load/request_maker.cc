#include "load/request_maker.h"

#include <algorithm>

namespace symbolon::bench {
namespace {

constexpr std::string_view kNumber = "{n}";
constexpr std::string_view kLine = "{line}";

bool HasPlaceholder(std::string_view text) {
  return text.find(kNumber) != std::string_view::npos || text.find(kLine) != std::string_view::npos;
}

bool Varies(const RequestTemplate& pattern) {
  return pattern.sign_as.has_value() || HasPlaceholder(pattern.body) ||
         std::ranges::any_of(pattern.headers, [](const HeaderField& field) { return HasPlaceholder(field.second); });
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

RequestMaker::RequestMaker(RequestTemplate pattern, Clock& clock)
    : pattern_(std::move(pattern)), clock_(clock), varies_(Varies(pattern_)) {
  if (pattern_.sign_as) signer_.emplace(*pattern_.sign_as);
}

const std::string& RequestMaker::Make(std::uint64_t number) {
  if (varies_ || made_.empty()) Build(number);
  return made_;
}

void RequestMaker::Build(std::uint64_t number) {
  const std::string body = Fill(pattern_.body, number);
  std::vector<HeaderField> headers = pattern_.headers;
  for (auto& [name, value] : headers) value = Fill(value, number);
  if (signer_) {
    auto signature = signer_->Sign(pattern_.method, pattern_.path, headers, body, clock_.Now());
    std::ranges::move(signature, std::back_inserter(headers));
  }
  made_.clear();
  made_.append(pattern_.method).append(" ").append(pattern_.path).append(" HTTP/1.1\r\n");
  for (const auto& [name, value] : headers) made_.append(name).append(": ").append(value).append("\r\n");
  made_.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

std::string RequestMaker::Fill(const std::string& text, std::uint64_t number) const {
  std::string filled = text;
  ReplaceAll(filled, kNumber, std::to_string(number));
  if (!pattern_.lines.empty()) ReplaceAll(filled, kLine, pattern_.lines[number % pattern_.lines.size()]);
  return filled;
}

}  // namespace symbolon::bench
