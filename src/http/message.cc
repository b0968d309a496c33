#include "http/message.h"

#include <algorithm>

namespace symbolon::http {
namespace {

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return ToLower(x) == ToLower(y); });
}

void Headers::Set(std::string_view name, std::string value) {
  Remove(name);
  fields_.emplace_back(name, std::move(value));
}

void Headers::Remove(std::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return EqualIgnoringCase(field.first, name); });
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
  for (const auto& [field_name, value] : fields_) {
    if (EqualIgnoringCase(field_name, name)) return value;
  }
  return std::nullopt;
}

std::size_t Headers::Count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields_, [name](const Field& field) { return EqualIgnoringCase(field.first, name); }));
}

std::string_view Request::path() const {
  const std::string_view view = target;
  return view.substr(0, view.find('?'));
}

std::string_view Request::query() const {
  const std::string_view view = target;
  const auto mark = view.find('?');
  return mark == std::string_view::npos ? std::string_view() : view.substr(mark + 1);
}

}  // namespace symbolon::http
