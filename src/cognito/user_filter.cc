#include "cognito/user_filter.h"

#include <algorithm>

#include "directory/users.h"

namespace symbolon::cognito {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Takes what stands before the first character that `belongs` refuses.
template <class Belongs>
std::string_view Take(std::string_view& text, Belongs belongs) {
  const auto end = std::ranges::find_if_not(text, belongs);
  const std::string_view taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

bool TakeWord(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// False when the closing quote is missing.
bool TakeQuoted(std::string_view& text, std::string& value) {
  if (!TakeWord(text, "\"")) return false;
  while (!text.empty()) {
    if (TakeWord(text, "\"")) return true;
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  return false;
}

}  // namespace

ApiResult<UserFilter> ParseUserFilter(std::string_view text) {
  UserFilter filter;
  Take(text, IsSpace);
  filter.attribute = Take(text, [](char c) { return !IsSpace(c) && c != '=' && c != '^' && c != '"'; });
  Take(text, IsSpace);
  filter.is_prefix = TakeWord(text, "^");
  bool well_formed = !filter.attribute.empty() && TakeWord(text, "=");
  Take(text, IsSpace);
  well_formed = well_formed && TakeQuoted(text, filter.value);
  Take(text, IsSpace);
  if (!well_formed || !text.empty()) return Fail(ErrorCode::kInvalidParameterException, "Error while parsing filter");
  if (!directory::IsFindable(filter.attribute))
    return Fail(ErrorCode::kInvalidParameterException, "Invalid search attribute: " + filter.attribute);
  // Found whatever the case in which it is written.
  if (filter.attribute == "cognito:user_status") {
    std::ranges::transform(filter.value, filter.value.begin(),
                           [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); });
  }
  return filter;
}

}  // namespace symbolon::cognito
