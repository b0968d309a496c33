#include "key_life/key_supply.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "crypto/hash.h"
#include "directory/record_types.h"
#include "key_life/ask_member.h"
#include "key_life/commit.h"
#include "key_life/older_records.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"
#include "replication/roles.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;
using std::chrono::nanoseconds;

constexpr std::size_t kPoolsAtOnce = 100;

storage::Key KeyOf(storage::Space space, const PoolId& pool, RecordType type, Bytes id = {}) {
  return {.space = space, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = std::move(id)};
}

// Other Regions may have to be given keys, or to be asked for them.
storage::StoreResult<bool> IsToBeSupplied(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> stored,
               snapshot.Get(KeyOf(storage::Space::kDirectory, pool, RecordType::kWrappedKeys)));
  SYMBOLON_TRY(const std::optional<Bytes> own,
               snapshot.Get(KeyOf(storage::Space::kRegional, pool, RecordType::kRegionalKeys)));
  SYMBOLON_TRY(const storage::Page region_keys,
               snapshot.Scan({.space = storage::Space::kDirectory,
                              .pool = pool,
                              .type = static_cast<std::uint16_t>(RecordType::kRegionKey),
                              .id_prefix = {}},
                             std::nullopt, 1));
  const auto contents = keys::ContentsOfPoolKeys(stored.value_or(""));
  return contents && (!contents->complete || own || !region_keys.records.empty());
}

}  // namespace

// When a Region was asked last, and what came of it.
struct KeySupply::Asked {
  nanoseconds at{};
  bool has_all = false;
  std::string problem;
};

struct KeySupply::Known {
  std::map<Region, Asked> members;
  nanoseconds cleaned_at{};
};

KeySupply::KeySupply(Services services, Options options) : services_(std::move(services)), options_(options) {
  subscription_ = services_.store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

KeySupply::~KeySupply() = default;

void KeySupply::OnNotice(const storage::Notice& notice) {
  const bool concerns = notice.everything || std::ranges::any_of(notice.keys, [](const storage::Key& key) {
                          if (key.space == storage::Space::kRegional) {
                            return key.type == static_cast<std::uint16_t>(RecordType::kRegionalKeys);
                          }
                          return key.space == storage::Space::kDirectory &&
                                 (key.type == static_cast<std::uint16_t>(RecordType::kWrappedKeys) ||
                                  key.type == static_cast<std::uint16_t>(RecordType::kRegionKey) ||
                                  key.type == static_cast<std::uint16_t>(RecordType::kRole));
                        });
  if (!concerns) return;
  std::lock_guard lock(mutex_);
  news_.insert(notice.pool);
}

bool KeySupply::FindPools() {
  std::optional<PoolId> after;
  const auto snapshot = services_.store.MakeSnapshot();
  while (true) {
    const auto pools = snapshot->Pools(after, kPoolsAtOnce);
    if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
    if (!pools) return false;
    if (pools->empty()) return true;
    std::lock_guard lock(mutex_);
    news_.insert(pools->begin(), pools->end());
    after = pools->back();
  }
}

void KeySupply::Tick() {
  if (!listed_) listed_ = FindPools();
  std::set<PoolId> news;
  {
    std::lock_guard lock(mutex_);
    news.swap(news_);
  }
  for (const PoolId& pool : news) {
    const auto supplied = IsToBeSupplied(*services_.store.MakeSnapshot(), pool);
    if (!supplied) {
      log::Error("keys of pool {} cannot be read: {}", pool.value(), supplied.error().detail);
      std::lock_guard lock(mutex_);
      news_.insert(pool);
      continue;
    }
    known_.erase(pool);
    if (*supplied) known_.emplace(pool, std::make_unique<Known>());
  }
  std::set<Region> silent;
  for (auto& [pool, known] : known_) {
    Supply(pool, *known, silent);
    const nanoseconds now = services_.clock.SinceBoot();
    if (known->cleaned_at != nanoseconds() && now - known->cleaned_at < options_.ask_again) continue;
    known->cleaned_at = now;
    DropFormer(pool);
  }
}

void KeySupply::Supply(const PoolId& pool, Known& known, std::set<Region>& silent) {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto role = RoleAsPrimary(services_, *snapshot, pool);
  const auto stored = snapshot->Get(KeyOf(storage::Space::kDirectory, pool, RecordType::kWrappedKeys));
  // What cannot be read is asked for with the next tick.
  if (!role || !stored || !*stored || !services_.ask) return;
  pb::KeyRequest request;
  request.set_pool(pool.value());
  request.set_hold_keys(crypto::Sha256(**stored));
  for (const replication::pb::Member& member : role->members()) {
    const Region region(member.region());
    if (member.state() == replication::pb::CREATING || member.state() == replication::pb::DELETING) continue;
    Asked& asked = known.members[region];
    const nanoseconds pause = asked.has_all ? options_.ask_again : options_.retry;
    const nanoseconds now = services_.clock.SinceBoot();
    if (silent.contains(region) || (asked.at != nanoseconds() && now - asked.at < pause)) continue;
    asked.at = now;
    const auto answer = AskMember(services_, region, pool, request, {.limit = {}, .again = {}});
    asked.has_all = answer.has_value();
    if (answer) {
      asked.problem.clear();
      continue;
    }
    if (answer.error().code == ChangeErrorCode::kUnavailable) silent.insert(region);
    if (asked.problem != answer.error().message) {
      asked.problem = answer.error().message;
      log::Warning("keys of pool {} in another Region: {}", pool.value(), asked.problem);
    }
  }
}

void KeySupply::DropFormer(const PoolId& pool) {
  // Nothing of it may pass for absent: what it does not name is dropped.
  const auto state_in = [&](const storage::Snapshot& snapshot) -> storage::StoreResult<keys::RegionState> {
    keys::RegionState state;
    SYMBOLON_TRY(const std::optional<Bytes> record,
                 snapshot.Get(KeyOf(storage::Space::kDirectory, pool, RecordType::kWrappedKeys)));
    SYMBOLON_TRY(state.regional, snapshot.Get(KeyOf(storage::Space::kRegional, pool, RecordType::kRegionalKeys)));
    SYMBOLON_TRY(const std::optional<Bytes> own,
                 snapshot.Get(KeyOf(storage::Space::kDirectory, pool, RecordType::kRegionKey, services_.here.value())));
    state.record = record.value_or("");
    if (own) state.own_cmk_arn = keys::ParseRegionKey(*own).value_or("");
    return state;
  };
  const auto unread = [&](const storage::StoreError& error) {
    log::Warning("former keys of pool {} stay for now: {}", pool.value(), error.detail);
  };
  const auto state = state_in(*services_.store.MakeSnapshot());
  if (!state) return unread(state.error());
  const std::set<Bytes> former = keys::FormerKeys(*state);
  std::set<Bytes> kept;
  if (!former.empty() && services_.suffixes != nullptr) {
    auto needed = OlderInSuffixes(*services_.suffixes, pool, former);
    // Unreadable suffixes may need any of them.
    kept = needed ? *std::move(needed) : former;
  }
  const auto dropped =
      CommitOwnKeys(services_, pool, [&](const auto& snapshot) -> keys::KeyServiceResult<std::optional<Bytes>> {
        const auto now = state_in(snapshot);
        if (!now) {
          unread(now.error());
          return std::nullopt;
        }
        return keys::WithoutFormerKeys(services_.here, *now, kept, services_.clock.Now());
      });
  if (!dropped) log::Warning("former keys of pool {} stay for now", pool.value());
}

}  // namespace symbolon::key_life
