#include "node/issuers.h"

#include <fmt/format.h>

#include <optional>

#include "replication/roles.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kPoolsAtATime = 1'000;

}  // namespace

Result<void, NodeError> CheckIssuers(storage::Store& store, const directory::RegionSettings& settings) {
  const auto snapshot = store.MakeSnapshot();
  const auto unreadable = [](const storage::StoreError& error) {
    return Err(NodeError{fmt::format("pools cannot be listed: {}", error.detail)});
  };
  for (std::optional<PoolId> after;;) {
    const auto pools = snapshot->Pools(after, kPoolsAtATime);
    if (!pools) return unreadable(pools.error());
    if (pools->empty()) return {};
    after = pools->back();
    for (const PoolId& pool : *pools) {
      const Region birth = BirthRegion(pool);
      if (settings.public_urls.contains(birth)) continue;
      const auto role = snapshot->Get({.pool = pool, .type = replication::kRoleRecordType, .id = {}});
      if (!role) return unreadable(role.error());
      const auto parsed = *role ? replication::ParseRole(**role) : std::nullopt;
      if (parsed && parsed->deleted()) continue;
      return Err(
          NodeError{fmt::format("user pool {0} was made in Region {1}, which [[regions]] does not name: with its "
                                "public_url the issuer of the "
                                "pool's tokens begins. Add to the configuration\n\n[[regions]]\nname = "
                                "\"{1}\"\npublic_url = \"...\"  # what it "
                                "was\n\nand, if that Region is gone for good, forgotten_regions = [\"{1}\"] to [keys]; "
                                "otherwise its replication "
                                "address, too",
                                pool.value(), birth.value())});
    }
  }
}

}  // namespace symbolon::node
