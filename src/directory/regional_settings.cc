#include "directory/regional_settings.h"

namespace symbolon::directory {

pb::RegionalSettings RegionalSettingsOf(Transaction& tx, const pb::PoolRecord& pool, const Region& here) {
  if (auto own = tx.Get<RegionalSettingsKind>("")) return *std::move(own);
  if (auto seed = tx.Get<RegionalSeedKind>(here.value())) return *std::move(seed);
  pb::RegionalSettings inherited;
  *inherited.mutable_tags() = pool.tags();
  return inherited;
}

void PutRegionalSettings(Transaction& tx, const pb::RegionalSettings& settings) {
  tx.Put<RegionalSettingsKind>("", settings);
}

void SeedRegionalSettings(Transaction& tx, const Region& replica, const pb::RegionalSettings& settings) {
  tx.Put<RegionalSeedKind>(replica.value(), settings);
}

void DropRegionalSeed(Transaction& tx, const Region& replica) { tx.Delete<RegionalSeedKind>(replica.value()); }

}  // namespace symbolon::directory
