#include "federation/mapping.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <cmath>

namespace symbolon::federation {
namespace {

namespace json = boost::json;

std::string TextOf(const json::value& value) {
  if (const json::string* text = value.if_string()) return std::string(*text);
  if (value.is_null()) return {};
  if (value.is_double()) {
    const double number = value.get_double();
    if (number == std::floor(number) && std::abs(number) < 1e15) return std::to_string(static_cast<long long>(number));
  }
  if (const json::array* list = value.if_array()) {
    std::string joined = "[";
    for (const json::value& entry : *list) {
      if (joined.size() > 1) joined += ',';
      joined += boost::urls::encode(TextOf(entry), boost::urls::unreserved_chars);
    }
    return joined + "]";
  }
  return json::serialize(value);
}

const json::value* Find(const json::object& claims, const std::string& name) {
  const json::value* value = claims.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace

MappedAttributes MapClaims(const directory::pb::IdentityProviderRecord& provider, const json::object& signed_claims,
                           const json::object& answered) {
  MappedAttributes mapped;
  for (const auto& [attribute, claim] : provider.attribute_mapping()) {
    const json::value* value = Find(signed_claims, claim);
    const bool is_signed = value != nullptr;
    if (!is_signed) value = Find(answered, claim);
    std::string text = value == nullptr ? std::string() : TextOf(*value);
    if (text.empty()) continue;
    mapped.values.emplace(attribute, std::move(text));
    if (!is_signed) mapped.from_answer.push_back(attribute);
  }
  for (const std::string address : {"email", "phone_number"}) {
    if (!mapped.values.contains(address)) mapped.values.erase(address + "_verified");
  }
  std::erase_if(mapped.from_answer, [&](const std::string& name) { return !mapped.values.contains(name); });
  std::ranges::sort(mapped.from_answer);
  return mapped;
}

bool NeedsAnswer(const directory::pb::IdentityProviderRecord& provider, const json::object& signed_claims) {
  return std::ranges::any_of(provider.attribute_mapping(),
                             [&](const auto& entry) { return Find(signed_claims, entry.second) == nullptr; });
}

}  // namespace symbolon::federation
