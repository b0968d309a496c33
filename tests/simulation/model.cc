#include "model.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "crypto/hash.h"
#include "storage/log.h"
#include "versions.h"

namespace symbolon::simulation {
namespace {

void Update(crypto::Sha256Stream& digest, BytesView part) {
  Bytes size;
  AppendBigEndian32(size, static_cast<std::uint32_t>(part.size()));
  digest.Update(size);
  digest.Update(part);
}

}  // namespace

Bytes RoleRecordKey() {
  Bytes key;
  AppendBigEndian16(key, replication::kRoleRecordType);
  return key;
}

std::optional<storage::pb::Head> HeadOf(storage::Store& store, const PoolId& pool) {
  auto head = store.MakeSnapshot()->Head(pool);
  SYMBOLON_CHECK(head);
  return *std::move(head);
}

PoolModel::PoolModel(PoolId id_, Region birth_) : id(std::move(id_)), birth(std::move(birth_)), facts(id) {
  states_[storage::ZeroDigest()].directory = std::make_shared<Directory>();
}

std::string PoolModel::Learn(storage::Store& store) {
  const auto head = HeadOf(store, id);
  if (!head || states_.contains(head->digest())) return "";
  std::uint64_t known = head->sequence();
  while (known > 0) {
    const auto digest = store.DigestAt(id, --known);
    if (!digest || !*digest) return fmt::format("its log ends above {}, and nobody wrote that", known);
    if (states_.contains(**digest)) break;
  }
  while (known < head->sequence()) {
    const auto entries = store.ReadLog(id, known + 1, 64 << 10);
    if (!entries || entries->empty()) return "its log cannot be read";
    for (const storage::pb::LogEntry& entry : *entries) {
      std::string wrong = Add(entry, store);
      if (!wrong.empty()) return wrong;
    }
    known += entries->size();
  }
  return "";
}

std::string PoolModel::Add(const storage::pb::LogEntry& entry, const storage::Store& store) {
  const Bytes digest = storage::EntryDigest(entry);
  if (states_.contains(digest)) return "";
  if (entry.epoch().region() != store.region().value()) {
    return fmt::format("entry {} of {} was never written there", entry.sequence(), entry.epoch().region());
  }
  const auto [position, first] = positions_.try_emplace({entry.epoch().SerializeAsString(), entry.sequence()}, digest);
  if (!first) return fmt::format("two entries {} in one epoch", entry.sequence());
  State state{.sequence = entry.sequence(),
              .epoch = entry.epoch(),
              .starts_epoch = entry.starts_epoch(),
              .previous = entry.previous_digest()};
  auto directory = std::make_shared<Directory>(*states_.at(entry.previous_digest()).directory);
  for (const storage::pb::LogChange& change : entry.changes()) {
    if (!change.deleted() && !change.has_value()) return "a body was erased before anybody saw it";
    if (change.deleted()) {
      directory->erase(change.key());
    } else {
      (*directory)[change.key()] = change.value();
    }
    if (const auto once = entries_of_.find(change.key()); once != entries_of_.end()) {
      if (++once->second > 1) return "a write that was passed on was done twice";
      if (refused_.contains(change.key())) return "a write that was passed on was done, and its client told otherwise";
    }
    if (change.key() != RoleRecordKey()) continue;
    const auto role = replication::ParseRole(change.value());
    if (!role) return "a role record that is none";
    const auto before = states_.at(entry.previous_digest()).directory->find(RoleRecordKey());
    if (before != states_.at(entry.previous_digest()).directory->end() &&
        HasUnknownField(*replication::ParseRole(before->second)) && !HasUnknownField(*role)) {
      return "a newer version's field of the role record is gone";
    }
    if (role->has_next()) hand_over_ = HandOver{Region(role->next().region()), entry.previous_digest()};
  }
  crypto::Sha256Stream of_directory;
  for (const auto& [key, value] : *directory) {
    Update(of_directory, key);
    Update(of_directory, value);
  }
  state.directory = std::move(directory);
  state.directory_digest = of_directory.Finish();
  states_[digest] = std::move(state);
  return "";
}

std::string PoolModel::ExpectNever(const Bytes& key) {
  refused_.insert(key);
  return entries_of_.at(key) == 0 ? "" : "the client of a write that was passed on is told that nothing was done";
}

std::string PoolModel::Check(storage::Store& store) const {
  auto source = store.OpenCopy(id);
  if (!source) return "";
  const auto state = states_.find((*source)->head().digest());
  const std::uint64_t sequence = (*source)->head().sequence();
  if (state == states_.end()) return fmt::format("another log at position {}", sequence);
  if (state->second.sequence != sequence || !storage::SameEpoch(state->second.epoch, (*source)->head().epoch())) {
    return fmt::format("the head at {} is not what was written there", sequence);
  }
  crypto::Sha256Stream digest;
  Bytes cursor;
  for (;;) {
    const auto records = (*source)->Next(cursor, 64 << 10);
    SYMBOLON_CHECK(records);
    if (records->empty()) break;
    for (const storage::Record& record : *records) {
      Update(digest, record.id);
      Update(digest, record.value);
    }
    cursor = records->back().id;
  }
  if (digest.Finish() != state->second.directory_digest)
    return fmt::format("not the directory of position {}", sequence);
  return "";
}

bool PoolModel::Contains(const Bytes& digest, const Bytes& ancestor) const {
  const auto wanted = states_.find(ancestor);
  if (wanted == states_.end()) return false;
  auto state = states_.find(digest);
  while (state != states_.end() && state->second.sequence > wanted->second.sequence) {
    state = states_.find(state->second.previous);
  }
  return state == wanted;
}

bool PoolModel::AnyContains(const std::map<Region, std::vector<Bytes>>& heads, const Region& region,
                            const Bytes& digest) const {
  const auto of_region = heads.find(region);
  return of_region != heads.end() &&
         std::ranges::any_of(of_region->second, [&](const Bytes& head) { return Contains(head, digest); });
}

bool PoolModel::LostWithDisk(const Region& region, const Bytes& digest) const {
  return AnyContains(lost_heads, region, digest);
}

bool PoolModel::Left(const Region& region, const Bytes& digest) const {
  return AnyContains(left_heads, region, digest);
}

std::vector<Bytes> PoolModel::Ends() const {
  std::set<Bytes> followed;
  for (const auto& [digest, state] : states_) followed.insert(state.previous);
  std::vector<Bytes> ends;
  for (const auto& [digest, state] : states_) {
    if (state.sequence > 0 && !followed.contains(digest)) ends.push_back(digest);
  }
  return ends;
}

const Bytes* PoolModel::RecordAt(const Bytes& digest, const Bytes& key) const {
  const auto state = states_.find(digest);
  if (state == states_.end()) return nullptr;
  const auto record = state->second.directory->find(key);
  return record == state->second.directory->end() ? nullptr : &record->second;
}

bool PoolModel::Began(const Region& region, std::uint64_t counter, std::uint64_t sequence) const {
  return std::ranges::any_of(states_, [&](const auto& known) {
    const State& state = known.second;
    return state.starts_epoch && state.epoch.region() == region.value() && state.epoch.counter() == counter &&
           state.sequence >= sequence;
  });
}

bool PoolModel::LeadsTo(const Bytes& digest, const storage::pb::Epoch& epoch) const {
  return std::ranges::any_of(states_, [&](const auto& known) {
    return known.second.starts_epoch && storage::CompareEpochs(known.second.epoch, epoch) >= 0 &&
           Contains(known.first, digest);
  });
}

}  // namespace symbolon::simulation
