#include "keys/arn.h"

#include <array>

namespace symbolon::keys {
namespace {

constexpr std::string_view kMultiRegionPrefix = "mrk-";
constexpr std::string_view kResourcePrefix = "key/";

}  // namespace

std::string KeyArn::ToString() const {
  return "arn:" + partition + ":kms:" + region.value() + ":" + account + ":" + std::string(kResourcePrefix) + key_id;
}

std::optional<KeyArn> ParseKeyArn(std::string_view text) {
  std::array<std::string_view, 6> fields;  // arn, partition, kms, Region, account, resource
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    fields[i] = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  fields.back() = text;
  if (fields[0] != "arn" || fields[1].empty() || fields[2] != "kms" || fields[3].empty() || fields[4].empty()) {
    return std::nullopt;
  }
  const std::string_view id = fields[5].substr(0, kResourcePrefix.size()) == kResourcePrefix
                                  ? fields[5].substr(kResourcePrefix.size())
                                  : std::string_view();
  if (id.empty() || id.find_first_of(":/") != std::string_view::npos) return std::nullopt;
  return KeyArn{.partition = std::string(fields[1]),
                .region = Region(std::string(fields[3])),
                .account = std::string(fields[4]),
                .key_id = std::string(id)};
}

bool IsMultiRegionKeyId(std::string_view key_id) {
  return key_id.size() == kMultiRegionPrefix.size() + 32 && key_id.starts_with(kMultiRegionPrefix) &&
         key_id.find_first_not_of("0123456789abcdef", kMultiRegionPrefix.size()) == std::string_view::npos;
}

std::string KeyArnInRegion(std::string_view arn, const Region& region) {
  auto parsed = ParseKeyArn(arn);
  if (!parsed || !IsMultiRegionKeyId(parsed->key_id)) return std::string(arn);
  parsed->region = region;
  return parsed->ToString();
}

}  // namespace symbolon::keys
