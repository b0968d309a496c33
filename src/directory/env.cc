#include "directory/env.h"

namespace symbolon::directory {

std::optional<std::string> IssuerOf(const RegionSettings& settings, const PoolId& pool, pb::IssuerType type) {
  if (type == pb::ISSUER_UPDATED) return settings.neutral_url + "/" + pool.value();
  const auto birth = settings.public_urls.find(BirthRegion(pool));
  if (birth == settings.public_urls.end()) return std::nullopt;
  return birth->second + "/" + pool.value();
}

}  // namespace symbolon::directory
