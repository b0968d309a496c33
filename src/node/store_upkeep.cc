#include "node/store_upkeep.h"

#include <optional>
#include <utility>

#include "base/log.h"
#include "delivery/outbox.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kFactsAtOnce = 1'000;
constexpr std::size_t kPoolsAtOnce = 100;

}  // namespace

void StoreUpkeep::ForgetFacts() {
  if (alone_) CompactFacts();
  while (true) {
    const auto forgotten = store_.ForgetExpiredFacts(clock_.Now(), kFactsAtOnce);
    if (!forgotten) log::Error("expired facts cannot be removed: {}", forgotten.error().detail);
    if (!forgotten || *forgotten < kFactsAtOnce) return;
  }
}

void StoreUpkeep::CompactFacts() {
  std::optional<PoolId> after;
  while (true) {
    const auto snapshot = store_.MakeSnapshot();
    const auto pools = snapshot->Pools(after, kPoolsAtOnce);
    if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
    if (!pools || pools->empty()) return;
    for (const PoolId& pool : *pools) {
      const auto dropped =
          snapshot->Facts(pool).and_then([&](const auto& own) { return store_.CompactFacts(pool, own, kFactsAtOnce); });
      if (!dropped) log::Error("fact logs of pool {} are not compacted: {}", pool.value(), dropped.error().detail);
    }
    after = pools->back();
  }
}

void StoreUpkeep::SweepOutbox() {
  auto sweep = delivery::PlanOutboxSweep(*store_.MakeSnapshot());
  if (!sweep) {
    log::Error("the outbox cannot be swept: {}", sweep.error().detail);
    return;
  }
  if (!*sweep) return;
  store_.Submit(**std::move(sweep), [](const storage::StoreResult<storage::Committed>& done) {
    if (!done) log::Error("the outbox cannot be swept: {}", done.error().detail);
  });
}

}  // namespace symbolon::node
