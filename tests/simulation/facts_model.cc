#include "facts_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "storage/horizon.h"
#include "storage/log.h"

namespace symbolon::simulation {
namespace {

using storage::pb::FactEntry;
using storage::pb::FactValue;
using storage::pb::FactVector;

constexpr std::size_t kReadLimitBytes = 1 << 20;

bool Same(const FactValue& a, const FactValue& b) {
  const auto canonical = [](const FactValue& value) {
    FactValue joined;
    storage::JoinFact(joined, value);
    const std::map<std::string, std::uint64_t> by_region(joined.region_maximum().begin(),
                                                         joined.region_maximum().end());
    joined.clear_region_maximum();
    return std::pair(joined.SerializeAsString(), by_region);
  };
  return canonical(a) == canonical(b);
}

bool Absorbs(const FactValue& whole, const FactValue& part) {
  FactValue joined = whole;
  storage::JoinFact(joined, part);
  return Same(joined, whole);
}

}  // namespace

std::string FactsModel::Learn(storage::Store& store) {
  const auto vector = store.MakeSnapshot()->Facts(id_);
  SYMBOLON_CHECK(vector);
  for (const storage::pb::FactProgress& progress : vector->progress()) {
    const Origin origin{progress.region(), progress.incarnation()};
    Log& log = logs_[origin];
    if (progress.number() <= log.entries.size()) continue;
    if (progress.region() != store.region().value()) {
      return fmt::format("fact {} of {} was never accepted there", progress.number(), progress.region());
    }
    const auto entries =
        store.ReadFacts(id_, store.region(), progress.incarnation(), log.entries.size() + 1, kReadLimitBytes);
    if (!entries) return fmt::format("its facts cannot be read: {}", entries.error().detail);
    for (const FactEntry& entry : *entries) {
      if (entry.forgotten_before() > 0 || entry.number() != log.entries.size() + 1) {
        return fmt::format("its fact {} is missing", log.entries.size() + 1);
      }
      log.entries.push_back(entry);
      places_[entry.key()].push_back({origin, entry.number()});
      if (on_said) on_said(store.region(), entry);
    }
  }
  durable_[store.region()] = *vector;
  return "";
}

std::string FactsModel::Check(storage::Store& store) const {
  const auto snapshot = store.MakeSnapshot();
  const auto vector = snapshot->Facts(id_);
  const auto horizon = storage::ForgottenBefore(*snapshot, id_);
  SYMBOLON_CHECK(vector && horizon);
  for (const auto& [key, places] : places_) {
    FactValue all;
    FactValue kept;
    bool any = false;
    // An entry that was said again further on than this store has come may have been compacted away before it came here
    // (Store::CompactFacts): then the later one brings what it said.
    std::map<Origin, std::uint64_t> last_said;
    // While its fact lives, an entry takes over the fact's end (Store::ForgetExpired), and brings it to stores that
    // have not heard yet of what moved it.
    std::int64_t latest_end = 0;
    for (const Place& place : places) {
      last_said[place.origin] = place.number;
      latest_end = std::max(latest_end, logs_.at(place.origin).entries[place.number - 1].value().expires_at_micros());
    }
    const auto said_again_beyond = [&](const Origin& origin) {
      return storage::ProgressOf(*vector, origin.first, origin.second) < last_said.at(origin);
    };
    for (const Place& place : places) {
      if (storage::ProgressOf(*vector, place.origin.first, place.origin.second) < place.number) continue;
      const FactValue& value = logs_.at(place.origin).entries[place.number - 1].value();
      storage::JoinFact(all, value);
      const bool lasts = value.expires_at_micros() == 0 || value.expires_at_micros() >= ToMicros(*horizon);
      if (!lasts || said_again_beyond(place.origin)) continue;
      storage::JoinFact(kept, value);
      any = true;
    }
    const storage::Key stored_at{storage::Space::kFact, id_, ReadBigEndian16(key), key.substr(2)};
    const auto stored = snapshot->Get(stored_at);
    SYMBOLON_CHECK(stored);
    FactValue value;
    if (*stored) SYMBOLON_CHECK(value.ParseFromString(**stored));
    const std::string name = fmt::format("{} of type {}", HexEncode(stored_at.id), stored_at.type);
    if (any && (!*stored || !Absorbs(value, kept))) return fmt::format("it says less of {} than it has heard", name);
    all.set_expires_at_micros(latest_end);
    if (*stored && !Absorbs(all, value)) return fmt::format("it says more of {} than it has heard", name);
  }
  return "";
}

void FactsModel::OnAcknowledged(const Region& accepted_in, BytesView key, const FactValue& value) {
  const auto places = places_.find(Bytes(key));
  if (places == places_.end()) return;
  for (const Place& place : std::views::reverse(places->second)) {
    Log& log = logs_.at(place.origin);
    // An entry says what was said of its fact before, too.
    if (place.origin.first != accepted_in.value() || !Absorbs(log.entries[place.number - 1].value(), value)) continue;
    log.acknowledged = std::max(log.acknowledged, place.number);
    return;
  }
}

void FactsModel::OnDiskLost(const Region& region) {
  durable_.erase(region);
  for (auto& [origin, log] : logs_) {
    std::uint64_t elsewhere = 0;
    for (const auto& [other, vector] : durable_) {
      elsewhere = std::max(elsewhere, storage::ProgressOf(vector, origin.first, origin.second));
    }
    log.acknowledged = std::min(log.acknowledged, elsewhere);
  }
}

std::optional<FactValue> FactsModel::Joined(const FactVector& vector, BytesView key) const {
  const auto places = places_.find(Bytes(key));
  if (places == places_.end()) return std::nullopt;
  std::optional<FactValue> joined;
  for (const Place& place : places->second) {
    if (storage::ProgressOf(vector, place.origin.first, place.origin.second) < place.number) continue;
    if (!joined) joined.emplace();
    storage::JoinFact(*joined, logs_.at(place.origin).entries[place.number - 1].value());
  }
  return joined;
}

std::string FactsModel::Missing(const FactVector& vector, const std::function<bool(const Region&)>& is_member) const {
  for (const auto& [origin, log] : logs_) {
    if (!is_member(Region(origin.first))) continue;
    std::uint64_t with_members = 0;
    std::uint64_t with_others = 0;
    for (const auto& [region, durable] : durable_) {
      std::uint64_t& most = is_member(region) ? with_members : with_others;
      most = std::max(most, storage::ProgressOf(durable, origin.first, origin.second));
    }
    const std::uint64_t here = storage::ProgressOf(vector, origin.first, origin.second);
    const std::uint64_t due = with_others >= log.acknowledged ? with_members : log.acknowledged;
    if (here >= std::min(due, log.acknowledged)) continue;
    return fmt::format("facts {} to {} of {}", here + 1, log.acknowledged, origin.first);
  }
  return "";
}

}  // namespace symbolon::simulation
