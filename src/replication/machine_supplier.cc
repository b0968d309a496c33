// A pool as it is served to others: whose turn it is, and what they ask for.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

constexpr std::size_t kFactsCompactedAtOnce = 1'000;

}  // namespace

void Machine::MarkReady(const Region& peer, const PoolId& id, Topic topic) {
  const auto found = peers_.find(peer);
  if (found != peers_.end() && found->second.accepted) found->second.accepted->MarkReady({id, topic});
}

void Machine::OnOpen(Peer& peer, const pb::Open& open, Instant now) {
  const PoolId id(open.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->unread || !pool->head) {
    pb::Frame frame;
    pb::Outcome& outcome = *frame.mutable_outcome();
    outcome.set_pool(open.pool());
    outcome.set_stream(open.stream());
    outcome.set_refused(pool != nullptr && pool->unread ? pb::BUSY : pb::UNKNOWN_POOL);
    peer.accepted->Push(std::move(frame));
    return;
  }
  std::unique_ptr<Supplier>& supplier = pool->suppliers[peer.region];
  if (!supplier)
    supplier = std::make_unique<Supplier>(store_, signer_, id, options_, peer.window, copy_pacer_, counters_);
  Supplier::Terms terms;
  terms.consumer = peer.region;
  terms.member = pool->role ? FindMember(*pool->role, peer.region) : nullptr;
  terms.supplies = Supplies(*pool);
  pb::Member former_primary;
  if (open.has_recovers_for() && pool->promised && storage::SameEpoch(*pool->promised, open.recovers_for()) &&
      open.recovers_for().region() == peer.region.value()) {
    terms.supplies = true;
    former_primary.set_state(pb::ACTIVE);
    if (terms.member == nullptr && pool->role->primary() == peer.region.value()) terms.member = &former_primary;
  }
  terms.hint = LeaderOf(id, *pool).value_or(Region());
  terms.may_copy = pinned_copies() < static_cast<int>(options_.copies_max);
  terms.standing = StandingOf(*pool);
  supplier->OnOpen(open, terms, now);
  if (open.history().epochs_size() > 0) {
    pb::Standing standing;
    *standing.mutable_epoch() = open.history().epochs().rbegin()->epoch();
    Hear(id, peer.region, standing, now);
  }
  MarkReady(peer.region, id, Topic::kDirectory);
  MaybeMarkCopied(id, *pool, peer.region, now);
}

void Machine::OnFactsHave(Peer& peer, const pb::FactsHave& have, Instant now) {
  const PoolId id(have.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->head) return;
  std::unique_ptr<FactSupplier>& supplier = pool->fact_suppliers[peer.region];
  if (!supplier) {
    supplier = std::make_unique<FactSupplier>(store_, signer_, id, peer.region, options_, peer.window, counters_);
  }
  supplier->OnHave(have);
  MarkReady(peer.region, id, Topic::kFacts);
  MaybeMarkCopied(id, *pool, peer.region, now);
  ProceedWithDrop(id, *pool, now);
}

std::vector<Region> Machine::NeedFacts(const pb::RoleRecord& role) const {
  std::vector<Region> others;
  if (role.primary() != own_.value() && !role.primary().empty()) others.emplace_back(role.primary());
  for (const pb::Member& member : role.members()) {
    // One that leaves hands over what it has and needs nothing.
    if (member.region() != own_.value() && member.state() != pb::DELETING) others.emplace_back(member.region());
  }
  return others;
}

std::vector<FactLag> Machine::FactLagsOf(const PoolId& id, Pool& pool) const {
  std::vector<FactLag> lags;
  if (!pool.role || !pool.head || RoleOf(*pool.role, own_).kind == Role::Kind::kNone) return lags;
  if (!pool.facts_here) {
    auto here = store_.MakeSnapshot()->Facts(id);
    if (!here) return lags;
    pool.facts_here = *std::move(here);
  }
  for (Region& region : NeedFacts(*pool.role)) {
    const auto supplier = pool.fact_suppliers.find(region);
    const FactsTold& told = supplier == pool.fact_suppliers.end() ? pool.facts_told[region] : supplier->second->told();
    const std::uint64_t entries = UnacknowledgedFacts(*pool.facts_here, told, region);
    lags.push_back({.region = std::move(region), .entries = entries});
  }
  return lags;
}

void Machine::CompactFacts(const PoolId& id, Pool& pool) {
  if (!pool.role || !pool.head) return;
  auto held = store_.MakeSnapshot()->Facts(id);
  if (!held) return;
  const std::vector<Region> others = NeedFacts(*pool.role);
  for (storage::pb::FactProgress& progress : *held->mutable_progress()) {
    for (const Region& other : others) {
      const auto supplier = pool.fact_suppliers.find(other);
      const std::uint64_t acknowledged =
          supplier == pool.fact_suppliers.end()
              ? 0
              : storage::ProgressOf(supplier->second->acknowledged(), progress.region(), progress.incarnation());
      progress.set_number(std::min(progress.number(), acknowledged));
    }
  }
  if (storage::Covers(pool.facts_compacted, *held)) return;
  pool.facts_compacted = *held;
  host_.RunBlocking(
      [this, id, held = *std::move(held)]() -> storage::StoreResult<void> {
        while (true) {
          const auto dropped = store_.CompactFacts(id, held, kFactsCompactedAtOnce);
          if (!dropped) return Err(dropped.error());
          if (*dropped < kFactsCompactedAtOnce) return {};
        }
      },
      [this, id](storage::StoreResult<void> result, Instant) {
        if (result) return;
        log::Warning("replication: fact logs of pool {} are not compacted: {}", id.value(), result.error().detail);
        if (Pool* compacted = FindPool(id)) compacted->facts_compacted.Clear();
      });
}

std::optional<pb::Frame> Machine::NextOf(Peer& peer, const Session::Ready& ready, Instant now) {
  Pool* pool = FindPool(ready.pool);
  if (pool == nullptr) return std::nullopt;
  if (ready.topic == Topic::kDirectory) {
    const auto supplier = pool->suppliers.find(peer.region);
    return supplier == pool->suppliers.end() ? std::nullopt : supplier->second->Next(now);
  }
  const auto supplier = pool->fact_suppliers.find(peer.region);
  if (supplier == pool->fact_suppliers.end()) return std::nullopt;
  if (!Shares(*pool, peer.region) && LeaderOf(ready.pool, *pool) != peer.region) return std::nullopt;
  return supplier->second->Next(
      [&](const storage::pb::FactEntry& fact) { return pool->role && NeedsProof(*pool->role, fact); });
}

void Machine::OnPace() {
  copy_pacer_.ForgetRefusal();
  for (const auto& [id, pool] : pools_) {
    for (const auto& [region, supplier] : pool.suppliers) {
      if (supplier->pinned()) MarkReady(region, id, Topic::kDirectory);
    }
  }
}

int Machine::pinned_copies() const {
  int count = 0;
  for (const auto& [id, pool] : pools_) {
    for (const auto& [region, supplier] : pool.suppliers) count += supplier->pinned() ? 1 : 0;
  }
  return count;
}

}  // namespace symbolon::replication
