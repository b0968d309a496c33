#include "cognito/audited_call.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstring>
#include <optional>
#include <utility>

#include "audit/event.h"
#include "base/clock.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using wire::Kind;
using wire::Shape;

// Of the key service's requests.
constexpr std::array<std::string_view, 4> kKeyMembers = {"KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"};
// What of its answers describes a key.
constexpr std::array<std::string_view, 2> kKeyMetadata = {"KeyMetadata", "ReplicaKeyMetadata"};
// Of requests about pools.
constexpr std::array<std::string_view, 4> kPoolMembers = {"UserPoolId", "RegionName", "Status", "KeyConfiguration"};

template <class T>
const T& As(const void* value) {
  return *static_cast<const T*>(value);
}

std::string NameOf(std::string_view member) {
  std::string name(member);
  if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] - 'A' + 'a');
  return name;
}

json::object ObjectOf(const Shape& shape, const void* object);

// nullopt: not for the trail.
std::optional<json::value> ValueOf(const Shape& shape, const void* value) {
  if (shape.sensitive) return std::nullopt;
  switch (shape.kind) {
    case Kind::kString:
      return json::value(As<std::string>(value));
    case Kind::kEnum: {
      std::uint16_t index = 0;
      std::memcpy(&index, value, sizeof index);
      return json::value(shape.enum_values[index]);
    }
    case Kind::kInteger:
      return json::value(As<std::int32_t>(value));
    case Kind::kLong:
      return json::value(As<std::int64_t>(value));
    case Kind::kDouble:
      return json::value(As<double>(value));
    case Kind::kBoolean:
      return json::value(As<bool>(value));
    case Kind::kTimestamp:
      return json::value(audit::FormatTime(As<Timestamp>(value)));
    case Kind::kBlob:
    case Kind::kDocument:
      return std::nullopt;
    case Kind::kList: {
      json::array array;
      for (std::size_t i = 0; i < shape.list->size(value); ++i) {
        if (auto element = ValueOf(*shape.element, shape.list->at(value, i))) array.push_back(*std::move(element));
      }
      return json::value(std::move(array));
    }
    case Kind::kMap: {
      struct Context {
        const Shape& element;
        json::object object = {};
      } context{*shape.element};
      shape.map->for_each(value, &context, [](void* to, const std::string& key, const void* entry) {
        auto& [element, object] = *static_cast<Context*>(to);
        if (auto kept = ValueOf(element, entry)) object[key] = *std::move(kept);
      });
      return json::value(std::move(context.object));
    }
    case Kind::kStructure:
      return json::value(ObjectOf(shape, value));
  }
  return std::nullopt;
}

json::object ObjectOf(const Shape& shape, const void* object) {
  json::object members;
  for (const wire::Member& member : shape.members) {
    const void* value = wire::Get(member, object);
    if (value == nullptr) continue;
    if (auto kept = ValueOf(*member.shape, value)) members[NameOf(member.name)] = *std::move(kept);
  }
  return members;
}

}  // namespace

std::string AuditedParameters(const Shape& shape, const void* object) {
  return json::serialize(ObjectOf(shape, object));
}

std::string AuditedPoolParameters(const Shape& shape, const void* object) {
  json::object members;
  for (const std::string_view name : kPoolMembers) {
    const wire::Member* member = wire::FindMember(shape, name);
    const void* value = member == nullptr ? nullptr : wire::Get(*member, object);
    if (value == nullptr) continue;
    if (auto kept = ValueOf(*member->shape, value)) members[NameOf(name)] = *std::move(kept);
  }
  return json::serialize(members);
}

std::string ChosenKey(const Shape& shape, const void* object) {
  const wire::Member* configuration = wire::FindMember(shape, "KeyConfiguration");
  const void* chosen = configuration == nullptr ? nullptr : wire::Get(*configuration, object);
  const wire::Member* arn = chosen == nullptr ? nullptr : wire::FindMember(*configuration->shape, "KmsKeyArn");
  const void* value = arn == nullptr ? nullptr : wire::Get(*arn, chosen);
  return value == nullptr ? "" : As<std::string>(value);
}

std::vector<std::string> AuditedKeys(std::vector<std::string> used, const Shape& shape, const void* object,
                                     const Shape& output, std::string_view answer, std::string_view arn_prefix) {
  std::vector<std::string> keys = std::move(used);
  const auto add = [&](std::string arn) {
    if (std::ranges::find(keys, arn) == keys.end()) keys.push_back(std::move(arn));
  };
  for (const std::string_view name : kKeyMembers) {
    const wire::Member* member = wire::FindMember(shape, name);
    const void* value = member == nullptr ? nullptr : wire::Get(*member, object);
    if (value == nullptr || member->shape->kind != Kind::kString) continue;
    const auto& key = As<std::string>(value);
    // An alias is not a key; the service knows for which one it stands.
    if (key.starts_with("alias/") || key.find(":alias/") != std::string::npos) continue;
    add(key.starts_with("arn:") ? key : std::string(arn_prefix) + key);
  }
  const bool describes =
      std::ranges::any_of(kKeyMetadata, [&](auto name) { return wire::FindMember(output, name) != nullptr; });
  if (!describes || answer.empty()) return keys;
  const json::value parsed = json::parse(answer);
  for (const std::string_view name : kKeyMetadata) {
    const json::value* metadata = parsed.as_object().if_contains(name);
    const json::value* arn = metadata == nullptr ? nullptr : metadata->as_object().if_contains("Arn");
    if (arn != nullptr) add(std::string(arn->as_string()));
  }
  return keys;
}

}  // namespace symbolon::cognito
