#include "directory/env.h"

namespace symbolon::directory {

std::string IssuerOf(const RegionSettings& settings, const PoolId& pool, pb::IssuerType type) {
  if (type == pb::ISSUER_UPDATED) return settings.neutral_url + "/" + pool.value();
  const auto birth = settings.public_urls.find(BirthRegion(pool));
  // A Region that has left the topology still names its pools.
  const std::string& base = birth != settings.public_urls.end() ? birth->second : settings.neutral_url;
  return base + "/" + pool.value();
}

}  // namespace symbolon::directory
