#include "directory/transaction.h"

#include <fmt/format.h>

#include "storage/log.h"

namespace symbolon::directory {

Transaction::Transaction(std::shared_ptr<const storage::Snapshot> snapshot, PoolId pool,
                         std::shared_ptr<const keys::PoolKeys> keys, Random& random, RecordCache* cache)
    : snapshot_(std::move(snapshot)), pool_(std::move(pool)), keys_(std::move(keys)), random_(random), cache_(cache) {}

std::shared_ptr<const void> Transaction::Recall(const storage::Key& key) {
  if (cache_ == nullptr || changes_.contains(key)) return nullptr;
  auto known = cache_->Find(key, snapshot_->version());
  if (known) reads_.push_back(key);
  return known;
}

std::shared_ptr<const void> Transaction::RecallAll(const storage::Key& all) {
  if (cache_ == nullptr) return nullptr;
  auto known = cache_->Find(all, snapshot_->version());
  if (known) range_reads_.push_back({.space = all.space, .pool = all.pool, .type = all.type, .id_prefix = {}});
  return known;
}

std::optional<Bytes> Transaction::GetPlain(const storage::Key& key, bool sealed) {
  if (const auto pending = changes_.find(key); pending != changes_.end()) return pending->second.plain;
  reads_.push_back(key);
  auto stored = snapshot_->Get(key);
  if (!stored) {
    Fail({TransactionFailure::Cause::kStore, std::move(stored).error().detail});
    return std::nullopt;
  }
  if (!stored->has_value() || !sealed) return *std::move(stored);
  return Unseal(key, **stored);
}

void Transaction::PutPlain(storage::Key key, Bytes plain, bool sealed) {
  changes_.insert_or_assign(std::move(key), Pending{.plain = std::move(plain), .sealed = sealed});
}

void Transaction::Erase(storage::Key key) { changes_.insert_or_assign(std::move(key), Pending{}); }

storage::Page Transaction::ScanPlain(const storage::KeyRange& range, bool sealed, const std::optional<Bytes>& after,
                                     std::size_t limit) {
  range_reads_.push_back(range);
  auto page = snapshot_->Scan(range, after, limit);
  if (!page) {
    Fail({TransactionFailure::Cause::kStore, std::move(page).error().detail});
    return {};
  }
  if (!sealed) return *std::move(page);
  for (storage::Record& record : page->records) {
    const storage::Key key{.space = range.space, .pool = range.pool, .type = range.type, .id = record.id};
    auto plain = Unseal(key, record.value);
    if (!plain) return {};
    record.value = *std::move(plain);
  }
  return *std::move(page);
}

std::optional<Bytes> Transaction::Unseal(const storage::Key& key, BytesView value) {
  SYMBOLON_CHECK(keys_ != nullptr);
  auto plain = keys_->Open(key, value);
  if (!plain) {
    Fail({TransactionFailure::Cause::kSealed, fmt::format("record of type {} in pool {} does not open: {}", key.type,
                                                          key.pool.value(), plain.error().detail)});
    return std::nullopt;
  }
  return *std::move(plain);
}

void Transaction::Parse(google::protobuf::MessageLite& message, BytesView plain, RecordType type) {
  if (!message.ParseFromArray(plain.data(), static_cast<int>(plain.size()))) {
    FailFormat(static_cast<std::uint16_t>(type));
  }
}

std::optional<Bytes> Transaction::GetClear(RecordType type, BytesView id) {
  return GetPlain(ClearKey(type, id), false);
}

void Transaction::PutClear(RecordType type, BytesView id, Bytes value) {
  PutPlain(ClearKey(type, id), std::move(value), false);
}

void Transaction::DeleteClear(RecordType type, BytesView id) { Erase(ClearKey(type, id)); }

std::optional<Bytes> Transaction::GetClearRegional(RecordType type, BytesView id) {
  storage::Key key = ClearKey(type, id);
  key.space = storage::Space::kRegional;
  return GetPlain(key, false);
}

void Transaction::PutClearRegional(RecordType type, BytesView id, Bytes value) {
  storage::Key key = ClearKey(type, id);
  key.space = storage::Space::kRegional;
  PutPlain(std::move(key), std::move(value), false);
}

std::optional<storage::pb::FactValue> Transaction::GetFact(std::uint16_t type, BytesView subject) {
  const storage::Key key{.space = storage::Space::kFact, .pool = pool_, .type = type, .id = Bytes(subject)};
  std::optional<storage::pb::FactValue> value;
  reads_.push_back(key);
  auto stored = snapshot_->Get(key);
  if (!stored) {
    Fail({TransactionFailure::Cause::kStore, std::move(stored).error().detail});
    return std::nullopt;
  }
  if (stored->has_value() && !value.emplace().ParseFromString(**stored)) {
    Fail({TransactionFailure::Cause::kFormat,
          fmt::format("fact of type {} in pool {} is not of its format", type, pool_.value())});
    return std::nullopt;
  }
  if (const auto pending = facts_.find(key); pending != facts_.end()) {
    if (!value) value.emplace();
    storage::JoinFact(*value, pending->second);
  }
  return value;
}

void Transaction::JoinFact(std::uint16_t type, BytesView subject, const storage::pb::FactValue& value) {
  storage::JoinFact(facts_[{.space = storage::Space::kFact, .pool = pool_, .type = type, .id = Bytes(subject)}], value);
}

void Transaction::NoteFact(std::uint16_t type, BytesView subject, const storage::pb::FactValue& value) {
  storage::JoinFact(notes_[{.space = storage::Space::kFact, .pool = pool_, .type = type, .id = Bytes(subject)}], value);
}

bool Transaction::changes_directory() const {
  for (const auto& [key, pending] : changes_) {
    if (key.space == storage::Space::kDirectory) return true;
  }
  return false;
}

storage::Commit Transaction::TakeCommit() {
  storage::Commit commit;
  commit.pool = pool_;
  commit.snapshot_version = snapshot_->version();
  commit.reads = std::move(reads_);
  commit.range_reads = std::move(range_reads_);
  commit.start_epoch_counter = start_epoch_counter_;
  for (auto& [key, pending] : changes_) {
    storage::Change change{.key = key, .value = std::nullopt};
    if (pending.plain)
      change.value = pending.sealed ? keys_->Seal(key, *pending.plain, random_) : *std::move(pending.plain);
    (key.space == storage::Space::kDirectory ? commit.directory : commit.regional).push_back(std::move(change));
  }
  for (auto& [key, value] : notes_) storage::JoinFact(facts_[key], value);
  for (auto& [key, value] : facts_) commit.facts.push_back({.key = key, .value = std::move(value)});
  changes_.clear();
  facts_.clear();
  notes_.clear();
  keys_.reset();
  return commit;
}

void Transaction::Fail(TransactionFailure failure) {
  if (!failure_) failure_ = std::move(failure);
}

void Transaction::FailFormat(std::uint16_t type) {
  Fail({TransactionFailure::Cause::kFormat,
        fmt::format("record of type {} in pool {} is not of its format", type, pool_.value())});
}

}  // namespace symbolon::directory
