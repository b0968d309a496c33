#include "federation/absorption.h"

#include <algorithm>
#include <future>

#include "auth/fact_types.h"
#include "auth/first_seen.h"
#include "base/log.h"
#include "directory/identity_providers.h"
#include "replication/roles.h"
#include "storage/log.h"

namespace symbolon::federation {
namespace {

using directory::pb::IdentityProviderRecord;
using replication::Role;

constexpr auto kFactType = static_cast<std::uint16_t>(auth::FactType::kFirstSeen);
constexpr std::size_t kPoolsAtOnce = 100;
constexpr std::size_t kFactsAtOnce = 100;
// Of more than so many subjects between two looks all are looked at.
constexpr std::size_t kSubjectsMax = 1'000;
// Of a pool: about 1 MB.
constexpr std::size_t kSettledMax = 10'000;
constexpr std::size_t kProvidersMax = 300;
constexpr int kKeysRememberedMax = 64;
constexpr int kAttemptsMax = 8;

// Appends what is new. False: nothing is.
bool AddKeys(directory::pb::ProviderKeysRecord& record, const std::vector<ProviderKey>& keys) {
  bool added = false;
  for (const ProviderKey& key : keys) {
    if (std::ranges::find(record.jwks(), key.jwk) != record.jwks().end()) continue;
    record.add_jwks(key.jwk);
    added = true;
  }
  if (const int surplus = record.jwks_size() - kKeysRememberedMax; surplus > 0)
    record.mutable_jwks()->DeleteSubrange(0, surplus);
  return added;
}

// It is refused, or every member has what settles it: nothing follows from it any more, whatever is said.
bool IsOver(const Bytes& stored) {
  storage::pb::FactValue fact;
  return fact.ParseFromString(stored) && fact.expires_at_micros() > 0;
}

}  // namespace

struct Absorption::Attempt {
  std::shared_ptr<const storage::Snapshot> snapshot;
  std::optional<directory::Transaction> tx;
  std::shared_ptr<const replication::pb::RoleRecord> role;
  std::shared_ptr<const directory::pb::PoolRecord> pool;
};

Absorption::Absorption(Services services) : services_(std::move(services)) {
  subscription_ = services_.store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

Absorption::~Absorption() = default;

void Absorption::OnNotice(const storage::Notice& notice) {
  Changed found;
  for (const storage::Key& key : notice.keys) {
    if (key.space == storage::Space::kFact && key.type == kFactType) found.subjects.insert(key.id);
    if (key.space == storage::Space::kDirectory &&
        key.type == static_cast<std::uint16_t>(directory::RecordType::kIdentityProvider))
      found.everything = true;
  }
  if (found.subjects.empty() && !found.everything) return;
  const std::lock_guard lock(mutex_);
  Changed& changed = changed_[notice.pool];
  changed.subjects.merge(found.subjects);
  changed.everything = changed.everything || found.everything || changed.subjects.size() > kSubjectsMax;
  if (changed.everything) changed.subjects.clear();
}

Absorption::Counters Absorption::counters() const {
  return {.absorbed = absorbed_, .refused = refused_, .waiting = waiting_, .kept = kept_};
}

void Absorption::Tick() {
  std::map<PoolId, Changed> pools;
  {
    const std::lock_guard lock(mutex_);
    pools.swap(changed_);
  }
  const auto now = services_.clock.SinceBoot();
  if (!visited_all_ || now >= *visited_all_ + kRetryInterval) {
    visited_all_ = now;
    // Pools that are gone have no entry afterwards.
    for (const auto& [pool, known] : known_) pools[pool].everything = true;
    const auto snapshot = services_.store.MakeSnapshot();
    std::optional<PoolId> after;
    while (true) {
      const auto page = snapshot->Pools(after, kPoolsAtOnce);
      if (!page) log::Error("pools cannot be listed: {}", page.error().detail);
      if (!page || page->empty()) break;
      for (const PoolId& pool : *page) pools[pool].everything = true;
      after = page->back();
    }
  }
  for (const auto& [pool, changed] : pools) {
    if (stopping_) return;
    VisitPool(pool, changed);
  }
  std::uint64_t waiting = 0, kept = 0;
  for (const auto& [pool, known] : known_) {
    waiting += known.waiting;
    kept += known.settled_at.size();
  }
  waiting_ = waiting;
  kept_ = kept;
}

bool Absorption::Open(const PoolId& pool, Attempt& attempt) {
  if (services_.gate != nullptr && !services_.gate->IsOpen(pool)) return false;
  attempt.snapshot = std::shared_ptr<const storage::Snapshot>(services_.store.MakeSnapshot());
  directory::Transaction& tx =
      attempt.tx.emplace(attempt.snapshot, pool, nullptr, services_.random, &services_.records);
  attempt.role = tx.ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  if (!attempt.role || attempt.role->deleted() ||
      replication::RoleOf(*attempt.role, services_.region.region).kind != Role::Kind::kPrimary) {
    return false;
  }
  auto keys = services_.keys.KeysOf(*attempt.snapshot, pool);
  if (!keys) return false;
  tx.SetKeys(*std::move(keys));
  attempt.pool = tx.Share<directory::PoolKind>("");
  return attempt.pool != nullptr && !tx.failure();
}

std::optional<std::set<Bytes>> Absorption::SubjectsOf(const PoolId& pool, const storage::Snapshot& snapshot) {
  std::set<Bytes> subjects;
  const storage::KeyRange facts{.space = storage::Space::kFact, .pool = pool, .type = kFactType, .id_prefix = {}};
  std::optional<Bytes> after;
  do {
    auto page = snapshot.Scan(facts, after, kFactsAtOnce);
    if (!page) {
      log::Error("facts of pool {} cannot be read: {}", pool.value(), page.error().detail);
      return std::nullopt;
    }
    for (storage::Record& record : page->records) {
      if (!IsOver(record.value)) subjects.insert(std::move(record.id));
    }
    after = std::move(page->next);
  } while (after);
  return subjects;
}

Absorption::Known& Absorption::KnownOf(const PoolId& pool, const storage::pb::Head& head) {
  Known& known = known_[pool];
  if (!storage::SameEpoch(known.epoch, head.epoch())) {
    known = Known();
    known.epoch = head.epoch();
  }
  return known;
}

bool Absorption::WaitsForMembers(const Known& known, const Bytes& subject) {
  const auto settled = known.settled_at.find(subject);
  return settled != known.settled_at.end() && (!known.everybody_has || *known.everybody_has < settled->second);
}

void Absorption::VisitPool(const PoolId& pool, const Changed& changed) {
  if (changed.everything) RememberKeys(pool);
  std::set<Bytes> subjects = changed.subjects;
  {
    Attempt attempt;
    if (!Open(pool, attempt)) {
      known_.erase(pool);
      return;
    }
    const auto head = attempt.snapshot->Head(pool);
    if (!head || !*head) return;
    Known& known = KnownOf(pool, **head);
    if (changed.everything) {
      auto all = SubjectsOf(pool, *attempt.snapshot);
      if (!all) return;
      subjects = *std::move(all);
      std::erase_if(known.settled_at, [&](const auto& settled) { return !subjects.contains(settled.first); });
      known.waiting = 0;
    }
    if (subjects.empty()) return;
    known.everybody_has = services_.everybody_has(pool, known.epoch);
    std::erase_if(subjects, [&](const Bytes& subject) { return WaitsForMembers(known, subject); });
  }
  for (const Bytes& subject : subjects) {
    if (stopping_) return;
    switch (Settle(pool, subject)) {
      case Absorbed::kNothing:
        known_[pool].settled_at.erase(subject);
        break;
      case Absorbed::kSettled:
        break;
      case Absorbed::kRecord:
        ++absorbed_;
        break;
      case Absorbed::kRefused:
        ++refused_;
        break;
      case Absorbed::kWaiting:
        ++known_[pool].waiting;
        break;
    }
  }
}

bool Absorption::EverybodyHas(const Attempt& attempt, const Bytes& subject) {
  const PoolId& pool = attempt.tx->pool();
  const auto head = attempt.snapshot->Head(pool);
  if (!head || !*head) return false;
  Known& known = KnownOf(pool, **head);
  if (known.settled_at.size() < kSettledMax) known.settled_at.try_emplace(subject, (*head)->sequence());
  // One for which there is no room goes when everybody has all.
  const auto settled = known.settled_at.find(subject);
  const std::uint64_t since = settled == known.settled_at.end() ? (*head)->sequence() : settled->second;
  return known.everybody_has && *known.everybody_has >= since;
}

bool Absorption::Commit(Attempt& attempt, bool& conflict) {
  std::promise<replication::DurableCommitResult> promise;
  auto committed = promise.get_future();
  services_.commits.Submit(attempt.tx->TakeCommit(), *attempt.role,
                           [&promise](replication::DurableCommitResult done) { promise.set_value(std::move(done)); });
  const auto result = committed.get();
  if (result) return true;
  conflict = result.error().store && result.error().store->code == storage::StoreErrorCode::kConflict;
  if (!conflict) {
    log::Warning("what another Region saw in pool {} is not committed yet{}", attempt.tx->pool().value(),
                 result.error().store ? ": " + result.error().store->detail : "");
  }
  return false;
}

Absorbed Absorption::Settle(const PoolId& pool, const Bytes& subject) {
  for (int attempts = 0; attempts < kAttemptsMax; ++attempts) {
    Attempt attempt;
    if (!Open(pool, attempt)) return Absorbed::kNothing;
    const Absorbed outcome = AbsorbFirstSeen(*attempt.tx, *attempt.pool, subject, services_.clock.Now(),
                                             [&](const IdentityProviderRecord& provider, const ProviderKey& key) {
                                               return Trusted(attempt, provider, key);
                                             });
    if (attempt.tx->failure()) {
      log::Error("what another Region saw in pool {}: {}", pool.value(), attempt.tx->failure()->detail);
      return Absorbed::kWaiting;
    }
    if (outcome == Absorbed::kSettled && EverybodyHas(attempt, subject))
      auth::EndFirstSeen(*attempt.tx, subject, services_.clock.Now());
    if (!attempt.tx->has_changes()) return outcome;
    bool conflict = false;
    if (Commit(attempt, conflict)) return outcome;
    if (!conflict) return Absorbed::kWaiting;
  }
  return Absorbed::kWaiting;
}

std::optional<ProviderKey> Absorption::Trusted(Attempt& attempt, const IdentityProviderRecord& provider,
                                               const ProviderKey& key) {
  directory::Transaction& tx = *attempt.tx;
  const Bytes place = directory::IdentityProviderKeyOf(tx, provider.name());
  auto record = tx.Get<directory::ProviderKeysKind>(place);
  const auto holds = [&] {
    return record && record->provider_id() == provider.id() &&
           std::ranges::find(record->jwks(), key.jwk) != record->jwks().end();
  };
  if (holds()) return key;
  // The provider may have made the key after its keys were asked for last.
  const auto now = services_.clock.SinceBoot();
  const auto asked = keys_asked_.find(provider.id());
  if (asked != keys_asked_.end() && now < asked->second + OidcClient::kRefetchInterval) return std::nullopt;
  keys_asked_[provider.id()] = now;
  const auto fetched = services_.client.FetchKeys(provider);
  if (!fetched) {
    log::Warning("keys of provider {} of pool {}: {}", provider.name(), tx.pool().value(), fetched.error().detail);
    return std::nullopt;
  }
  if (!record || record->provider_id() != provider.id()) {
    record.emplace();
    record->set_provider_id(provider.id());
  }
  if (AddKeys(*record, *fetched)) tx.Put<directory::ProviderKeysKind>(place, *record);
  if (!holds()) return std::nullopt;
  return key;
}

void Absorption::RememberKeys(const PoolId& pool) {
  Attempt look;
  if (!Open(pool, look)) return;
  const auto providers = look.tx->Scan<directory::IdentityProviderKind>("", std::nullopt, kProvidersMax);
  const auto now = services_.clock.SinceBoot();
  for (const auto& row : providers.rows) {
    if (stopping_) return;
    const IdentityProviderRecord& provider = row.record;
    const auto asked = keys_asked_.find(provider.id());
    if (asked != keys_asked_.end() && now < asked->second + kKeysInterval) continue;
    const auto fetched = services_.client.FetchKeys(provider);
    // Not reached: again at the next look at everything.
    keys_asked_[provider.id()] = fetched ? now : now - kKeysInterval + kRetryInterval;
    if (!fetched) {
      log::Warning("keys of provider {} of pool {}: {}", provider.name(), pool.value(), fetched.error().detail);
      continue;
    }
    Attempt attempt;
    if (!Open(pool, attempt)) return;
    // It may have been removed in the meantime.
    const auto present = attempt.tx->Get<directory::IdentityProviderKind>(row.id);
    if (!present || present->id() != provider.id()) continue;
    auto record = attempt.tx->Get<directory::ProviderKeysKind>(row.id).value_or(directory::pb::ProviderKeysRecord());
    if (record.provider_id() != provider.id()) {
      record.Clear();
      record.set_provider_id(provider.id());
    }
    if (!AddKeys(record, *fetched) || attempt.tx->failure()) continue;
    attempt.tx->Put<directory::ProviderKeysKind>(row.id, record);
    bool conflict = false;
    if (!Commit(attempt, conflict)) keys_asked_.erase(provider.id());
  }
}

}  // namespace symbolon::federation
