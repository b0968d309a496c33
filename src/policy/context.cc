#include "policy/context.h"

#include <fmt/chrono.h>

#include <algorithm>

namespace symbolon::policy {

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

void Context::Add(std::string_view key, std::string value) { values_[LowerCase(key)].push_back(std::move(value)); }

void Context::SetAll(std::string_view key, std::vector<std::string> values) {
  values_[LowerCase(key)] = std::move(values);
}

void Context::SetTime(Timestamp now) {
  SetAll("aws:CurrentTime", {fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::floor<std::chrono::seconds>(now))});
  SetAll("aws:EpochTime", {std::to_string(ToSeconds(now))});
}

const std::vector<std::string>* Context::Find(std::string_view lower_case_key) const {
  const auto found = values_.find(lower_case_key);
  return found == values_.end() ? nullptr : &found->second;
}

}  // namespace symbolon::policy
