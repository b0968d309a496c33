// Who signs with which key, and what follows from what others show (docs/adr/0024-signatures.md).
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

// In Space::kRegional; the id is empty.
constexpr std::uint16_t kKeptSignaturesType = 1;

// `b` says more than `a`.
bool Newer(const pb::SignedHead& a, const pb::SignedHead& b) {
  const int order = storage::CompareEpochs(a.epoch(), b.epoch());
  return order < 0 || (order == 0 && a.sequence() < b.sequence());
}

}  // namespace

Bytes Machine::LogKeyAskedOf(const Pool& pool, const Region& region) const {
  if (const pb::LogKey* pinned = pool.role ? LogKeyOf(*pool.role, region) : nullptr) return pinned->public_key();
  // Before it is pinned, or before the pool is here: the one that the authenticated peer shows.
  const auto peer = peers_.find(region);
  return peer == peers_.end() ? Bytes() : peer->second.log_key;
}

storage::Key Machine::SignaturesKey(const PoolId& id) {
  return {storage::Space::kRegional, id, kKeptSignaturesType, Bytes()};
}

storage::StoreResult<void> Machine::LoadSignatures(const PoolId& id, Pool& pool) {
  if (pool.signatures_loaded) return {};
  SYMBOLON_TRY(const std::optional<Bytes> stored, store_.MakeSnapshot()->Get(SignaturesKey(id)));
  pool.signatures_loaded = true;
  pb::KeptSignatures kept;
  if (stored && !kept.ParseFromString(*stored)) {
    log::Error("replication: pool {}: what is kept of what other Regions signed is damaged", id.value());
    return {};
  }
  for (pb::SignedHead& head : *kept.mutable_heads()) {
    pb::SignedHead& known = pool.signed_heads[Region(head.epoch().region())];
    if (Newer(known, head)) known = std::move(head);
  }
  return {};
}

void Machine::NoteSignature(Pool& pool) {
  const std::optional<pb::SignedHead>& proven = pool.consumer->proven();
  if (!proven) return;
  pb::SignedHead& known = pool.signed_heads[pool.consumer_peer];
  if (!Newer(known, *proven)) return;
  known = *proven;
  pool.signatures_changed = true;
}

void Machine::KeepSignatures(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.signatures_changed || now.since_boot < pool.keep_signatures_at || !pool.head) return;
  // What has not been read is not written over.
  if (!pool.signatures_loaded) return;
  pool.signatures_changed = false;
  pool.keep_signatures_at = now.since_boot + options_.keep_signatures_interval;
  pb::KeptSignatures kept;
  for (const auto& [region, head] : pool.signed_heads) *kept.add_heads() = head;
  storage::Commit commit;
  commit.pool = id;
  commit.regional.push_back({SignaturesKey(id), kept.SerializeAsString()});
  host_.Submit(std::move(commit), [this, id](const storage::StoreResult<storage::Committed>& result, Instant) {
    if (result) return;
    log::Warning("replication: pool {}: what other Regions signed is not kept: {}", id.value(), result.error().detail);
    if (Pool* known = FindPool(id)) known->signatures_changed = true;
  });
}

void Machine::HearSignature(const PoolId& id, Pool& pool, const Region& from, const pb::SignedHead& head) {
  if (!pool.head || pool.rolled_back || head.epoch().region() != own_.value() ||
      head.epoch().incarnation() != store_.incarnation()) {
    return;
  }
  const int order = storage::CompareEpochs(pool.head->epoch(), head.epoch());
  // What an epoch that is over had beyond the next one's beginning is set aside by right.
  if (order > 0) return;
  bool lacks = order < 0 || head.sequence() > pool.head->sequence();
  if (!lacks) {
    const auto digest = store_.DigestAt(id, head.sequence());
    pool.compares_again = pool.compares_again || !digest;
    if (!digest || !*digest) return;
    lacks = **digest != head.digest();
  }
  if (!lacks || !VerifyHead(signer_, signer_.public_key(), id, head)) return;
  pool.rolled_back = true;
  ++counters_.rollbacks_found;
  log::Error(
      "replication: pool {}: {} holds entry {}, which this store signed and does not have: it was set back or altered, "
      "and writes nothing from now on (docs/replication.md)",
      id.value(), from.value(), head.sequence());
  UpdateGate(id, pool);
  for (auto& [region, supplier] : pool.suppliers) {
    supplier->OnRoleLost();
    MarkReady(region, id, Topic::kDirectory);
  }
}

void Machine::PinKeys(const PoolId& id, Pool& pool, Instant now) {
  if (now.since_boot < pool.pin_at || !Admits(pool) || pool.role->deleted() || pool.role->members().empty()) return;
  struct Shown {
    Region region;
    Bytes incarnation;
    Bytes key;
  };
  std::vector<Shown> pins;
  const auto look = [&](const Region& region, const Bytes& incarnation, const Bytes& key) {
    if (StandingOfKey(*pool.role, region, incarnation, key) != KeyStanding::kNew) return;
    if (LogKeyOf(*pool.role, region) != nullptr) {
      ++counters_.log_keys_replaced;
      log::Warning("replication: pool {}: {} shows another store and another log key, which is pinned", id.value(),
                   region.value());
    }
    pins.push_back({region, incarnation, key});
  };
  look(own_, store_.incarnation(), signer_.public_key());
  for (const auto& [region, peer] : peers_) {
    const pb::Member* member = FindMember(*pool.role, region);
    if (member != nullptr && member->state() != pb::DELETING && !peer.log_key.empty()) {
      look(region, peer.incarnation, peer.log_key);
    }
  }
  if (pins.empty()) return;
  auto facts = store_.MakeSnapshot()->Facts(id);
  if (!facts) return;
  pool.pin_at = now.since_boot + options_.heartbeat_interval;
  ChangeRole(
      id,
      [pins = std::move(pins), facts = *std::move(facts),
       at = now.wall](pb::RoleRecord record) -> RoleResult<pb::RoleRecord> {
        for (const Shown& shown : pins) {
          record = PinLogKey(std::move(record), shown.region, shown.incarnation, shown.key, facts, at);
        }
        return record;
      },
      [id](ControlResult<void> result) {
        if (!result)
          log::Warning("replication: pool {}: log keys are not pinned: {}", id.value(), result.error().detail);
      });
}

FactOrigin Machine::OriginOf(const Pool& pool, const Peer& peer, const Region& region) const {
  FactOrigin origin;
  if (!pool.role) return origin;
  for (const pb::LogKey& key : pool.role->log_keys()) {
    if (key.region() != region.value()) continue;
    origin.pinned = true;
    origin.log_keys.insert(origin.log_keys.begin(), key.public_key());
    for (const auto& facts : key.unsigned_facts()) origin.unsigned_through[facts.incarnation()] = facts.number();
  }
  // Before it is pinned: what the authenticated Region itself shows.
  const auto itself = peers_.find(region);
  if (itself != peers_.end() &&
      StandingOfKey(*pool.role, region, itself->second.incarnation, itself->second.log_key) == KeyStanding::kNew) {
    origin.log_keys.push_back(itself->second.log_key);
  }
  if (region == own_ && origin.log_keys.empty()) origin.log_keys.push_back(signer_.public_key());
  // A Region that is in no role record here may be in the primary's, which is newer. The primary passes on only what it
  // has checked by its own; that it is the primary it has proved when it opened the stream.
  const bool from_primary =
      pool.consumer && pool.consumer_peer == peer.region && pool.consumer->state() == Consumer::State::kFollowing;
  const bool is_primary = Admits(pool) || (pool.role->deleted() && LeadsByRecord(pool));
  const bool takes_part = RoleOf(*pool.role, region).kind != Role::Kind::kNone || (!from_primary && !is_primary);
  origin.key_may_come = region != peer.region && takes_part;
  origin.asked_itself = region != peer.region && pool.fact_pulls.contains(region);
  origin.proofs_lost = region != peer.region && peer.log_key.empty();
  return origin;
}

// A Region that only says that it leads is not listened to for a while; the one that the record names goes on.
void Machine::OnUnproven(const PoolId& id, Pool& pool, Instant now) {
  if (pool.role && replication::LeaderOf(*pool.role) == pool.consumer_peer) return;
  if (!pool.unproven.try_emplace(pool.consumer_peer, now.since_boot + options_.unsigned_limit).second) return;
  UpdateConsumer(id, pool, now);
}

}  // namespace symbolon::replication
