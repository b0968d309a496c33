#include "cognito/attribute_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr int kCustomAttributesMax = 50;
constexpr std::int64_t kStringLengthMax = 2048;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

pb::AttributeSchema StringAttribute(const char* name, const char* min = "0", const char* max = "2048") {
  pb::AttributeSchema schema;
  schema.set_name(name);
  schema.set_data_type("String");
  schema.set_mutable_(true);
  schema.set_min_length(min);
  schema.set_max_length(max);
  return schema;
}

pb::AttributeSchema BooleanAttribute(const char* name) {
  pb::AttributeSchema schema;
  schema.set_name(name);
  schema.set_data_type("Boolean");
  schema.set_mutable_(true);
  return schema;
}

std::vector<pb::AttributeSchema> StandardSchema() {
  pb::AttributeSchema updated_at;
  updated_at.set_name("updated_at");
  updated_at.set_data_type("Number");
  updated_at.set_mutable_(true);
  updated_at.set_min_value("0");
  pb::AttributeSchema identities = StringAttribute("identities");
  identities.clear_min_length();
  identities.clear_max_length();
  pb::AttributeSchema sub = StringAttribute("sub", "1");
  sub.set_mutable_(false);
  sub.set_required(true);
  return {StringAttribute("profile"),
          StringAttribute("address"),
          StringAttribute("birthdate", "10", "10"),
          StringAttribute("gender"),
          StringAttribute("preferred_username"),
          updated_at,
          StringAttribute("website"),
          StringAttribute("picture"),
          identities,
          sub,
          StringAttribute("phone_number"),
          BooleanAttribute("phone_number_verified"),
          StringAttribute("zoneinfo"),
          StringAttribute("locale"),
          StringAttribute("email"),
          BooleanAttribute("email_verified"),
          StringAttribute("given_name"),
          StringAttribute("family_name"),
          StringAttribute("middle_name"),
          StringAttribute("name"),
          StringAttribute("nickname")};
}

// A bound as the API has it, a whole number in decimal text. nullopt: it is none.
std::optional<std::int64_t> ParseBound(const std::string& text) {
  std::int64_t bound = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(bound) : std::nullopt;
}

ApiResult<void> CheckBounds(const std::string& name, const std::string* least, const std::string* most) {
  const auto low = least != nullptr ? ParseBound(*least) : std::nullopt;
  const auto high = most != nullptr ? ParseBound(*most) : std::nullopt;
  if ((least != nullptr && !low) || (most != nullptr && !high))
    return Invalid(fmt::format("{}: constraints must be whole numbers.", name));
  if (low && high && *low > *high) return Invalid(fmt::format("{}: the constraints leave no value.", name));
  return {};
}

ApiResult<void> ApplyConstraints(pb::AttributeSchema& stored, const SchemaAttributeType& attribute) {
  if (attribute.StringAttributeConstraints) {
    if (stored.data_type() != "String")
      return Invalid(fmt::format("{}: string constraints on an attribute that is none.", stored.name()));
    if (attribute.StringAttributeConstraints->MinLength)
      stored.set_min_length(*attribute.StringAttributeConstraints->MinLength);
    if (attribute.StringAttributeConstraints->MaxLength)
      stored.set_max_length(*attribute.StringAttributeConstraints->MaxLength);
  }
  if (attribute.NumberAttributeConstraints) {
    if (stored.data_type() != "Number")
      return Invalid(fmt::format("{}: number constraints on an attribute that is none.", stored.name()));
    if (attribute.NumberAttributeConstraints->MinValue)
      stored.set_min_value(*attribute.NumberAttributeConstraints->MinValue);
    if (attribute.NumberAttributeConstraints->MaxValue)
      stored.set_max_value(*attribute.NumberAttributeConstraints->MaxValue);
  }
  SYMBOLON_TRY_VOID(CheckBounds(stored.name(), stored.has_min_value() ? &stored.min_value() : nullptr,
                                stored.has_max_value() ? &stored.max_value() : nullptr));
  SYMBOLON_TRY_VOID(CheckBounds(stored.name(), stored.has_min_length() ? &stored.min_length() : nullptr,
                                stored.has_max_length() ? &stored.max_length() : nullptr));
  if ((stored.has_min_length() && *ParseBound(stored.min_length()) < 0) ||
      (stored.has_max_length() && *ParseBound(stored.max_length()) > kStringLengthMax)) {
    return Invalid(fmt::format("{}: lengths go from 0 to {}.", stored.name(), kStringLengthMax));
  }
  return {};
}

}  // namespace

ApiResult<void> ApplySchema(pb::PoolRecord& pool, const std::vector<SchemaAttributeType>& schema) {
  for (const pb::AttributeSchema& attribute : StandardSchema()) *pool.add_schema() = attribute;
  std::set<std::string> named;
  int custom = 0;
  for (const SchemaAttributeType& attribute : schema) {
    if (!attribute.Name || attribute.Name->empty())
      return Invalid("Invalid AttributeDataType input, consider using the provided AttributeDataType enum.");
    if (!named.insert(*attribute.Name).second)
      return Invalid(fmt::format("Attribute {} is defined twice.", *attribute.Name));
    const auto standard = std::ranges::find(*pool.mutable_schema(), *attribute.Name, &pb::AttributeSchema::name);
    const bool is_standard = standard != pool.mutable_schema()->end();
    if (!is_standard && ++custom > kCustomAttributesMax)
      return Fail(ErrorCode::kLimitExceededException, "A pool has at most 50 custom attributes.");
    if (!is_standard && attribute.Required.value_or(false))
      return Invalid("Required custom attributes are not supported currently.");
    if (!is_standard && attribute.Name->size() > 20)
      return Invalid(fmt::format("Attribute name {} is longer than 20 characters.", *attribute.Name));

    pb::AttributeSchema stored = is_standard ? *standard : pb::AttributeSchema();
    const AttributeDataType type = attribute.AttributeDataType.value_or(AttributeDataType::kString);
    if (is_standard) {
      if (attribute.AttributeDataType && ToString(type) != stored.data_type()) {
        return Invalid(
            fmt::format("You can not change AttributeDataType for standard schema attribute: {}", *attribute.Name));
      }
      if (attribute.DeveloperOnlyAttribute.value_or(false))
        return Invalid(fmt::format("A standard attribute cannot be developer-only: {}", *attribute.Name));
      if (*attribute.Name == "sub") return Invalid("sub is required, immutable and not to be changed.");
    } else {
      const bool developer_only = attribute.DeveloperOnlyAttribute.value_or(false);
      stored.set_developer_only(developer_only);
      stored.set_name((developer_only ? "dev:custom:" : "custom:") + *attribute.Name);
      stored.set_data_type(std::string(ToString(type)));
      stored.set_mutable_(true);
    }
    if (attribute.Mutable) stored.set_mutable_(*attribute.Mutable);
    if (attribute.Required) stored.set_required(*attribute.Required);
    SYMBOLON_TRY_VOID(ApplyConstraints(stored, attribute));
    if (is_standard) {
      *standard = std::move(stored);
    } else {
      *pool.add_schema() = std::move(stored);
    }
  }
  return {};
}

SchemaAttributeType DescribeAttribute(const pb::AttributeSchema& stored) {
  SchemaAttributeType attribute;
  attribute.Name = stored.name();
  attribute.AttributeDataType = ParseAttributeDataType(stored.data_type());
  attribute.DeveloperOnlyAttribute = stored.developer_only();
  attribute.Mutable = stored.mutable_();
  attribute.Required = stored.required();
  if (stored.data_type() == "String") {
    auto& constraints = attribute.StringAttributeConstraints.emplace();
    if (stored.has_min_length()) constraints.MinLength = stored.min_length();
    if (stored.has_max_length()) constraints.MaxLength = stored.max_length();
  } else if (stored.data_type() == "Number") {
    auto& constraints = attribute.NumberAttributeConstraints.emplace();
    if (stored.has_min_value()) constraints.MinValue = stored.min_value();
    if (stored.has_max_value()) constraints.MaxValue = stored.max_value();
  }
  return attribute;
}

}  // namespace symbolon::cognito
