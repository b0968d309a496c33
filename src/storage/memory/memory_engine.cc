#include "storage/memory/memory_engine.h"

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

namespace symbolon::storage {

// Every key keeps the values that some living snapshot may still show, oldest first, each with the number of the write
// that put it there (nullopt: deleted).
struct MemoryDisk::State {
  using Version = std::pair<std::uint64_t, std::optional<Bytes>>;
  using Versions = std::vector<Version>;

  mutable std::shared_mutex mutex;
  std::map<Bytes, Versions, std::less<>> records;
  std::uint64_t last_write = 0;
  std::multiset<std::uint64_t> live_snapshots;
  // Keys with more than the newest value, or with a deletion for it, and since which write.
  std::deque<std::pair<std::uint64_t, Bytes>> prunable;
  // Names the engine that may use the disk.
  std::uint64_t owner = 0;
  bool crashed = false;

  std::uint64_t write_count = 0;
  WriteFault planned = WriteFault::kNone;
  std::uint64_t planned_at = 0;
  bool full = false;
  std::optional<EngineBatch> kept_until_reopened;
  // What would undo the last writes, oldest first; at most `unsynced_max` of them.
  std::size_t unsynced_max = 0;
  std::deque<EngineBatch> undo;

  static const std::optional<Bytes>* Visible(const Versions& versions, std::uint64_t as_of) {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      if (version->first <= as_of) return version->second ? &version->second : nullptr;
    }
    return nullptr;
  }

  void Set(const Bytes& key, std::optional<Bytes> value) {
    Versions& versions = records[key];
    if (!versions.empty() && versions.back().first == last_write) {
      versions.back().second = std::move(value);
    } else {
      versions.emplace_back(last_write, std::move(value));
    }
    if (versions.size() > 1 || !versions.back().second) prunable.emplace_back(last_write, key);
  }

  void Remember(EngineBatch& inverse, const Bytes& key) const {
    const auto record = records.find(key);
    if (record != records.end() && record->second.back().second) {
      inverse.Put(key, *record->second.back().second);
    } else {
      inverse.Delete(key);
    }
  }

  // The inverse of the batch, of keys in any order: each comes once, with its value before the batch.
  EngineBatch InverseOf(const EngineBatch& batch) const {
    std::set<Bytes> touched;
    for (const EngineBatch::Operation& operation : batch.operations()) {
      if (operation.kind != EngineBatch::Kind::kDeleteRange) {
        touched.insert(operation.key);
        continue;
      }
      const auto end = records.lower_bound(operation.argument);
      for (auto record = records.lower_bound(operation.key); record != end; ++record) touched.insert(record->first);
    }
    EngineBatch inverse;
    for (const Bytes& key : touched) Remember(inverse, key);
    return inverse;
  }

  void Apply(const EngineBatch& batch) {
    if (unsynced_max > 0) {
      undo.push_back(InverseOf(batch));
      if (undo.size() > unsynced_max) undo.pop_front();
    }
    Change(batch);
  }

  void Change(const EngineBatch& batch) {
    ++last_write;
    for (const EngineBatch::Operation& operation : batch.operations()) {
      switch (operation.kind) {
        case EngineBatch::Kind::kPut:
          Set(operation.key, operation.argument);
          break;
        case EngineBatch::Kind::kDelete:
          Set(operation.key, std::nullopt);
          break;
        case EngineBatch::Kind::kDeleteRange:
          for (auto record = records.lower_bound(operation.key);
               record != records.end() && record->first < operation.argument; ++record) {
            if (record->second.back().second) Set(record->first, std::nullopt);
          }
          break;
      }
    }
    Prune();
  }

  // Drops what no living snapshot shows.
  void Prune() {
    const std::uint64_t oldest_shown = live_snapshots.empty() ? last_write : *live_snapshots.begin();
    while (!prunable.empty() && prunable.front().first <= oldest_shown) {
      auto record = records.find(prunable.front().second);
      prunable.pop_front();
      if (record == records.end()) continue;
      Versions& versions = record->second;
      auto first_needed = versions.begin();
      while (std::next(first_needed) != versions.end() && std::next(first_needed)->first <= oldest_shown)
        ++first_needed;
      versions.erase(versions.begin(), first_needed);
      if (versions.size() == 1 && !versions.front().second && versions.front().first <= oldest_shown) {
        records.erase(record);
      }
    }
  }
};

namespace {

using State = MemoryDisk::State;

class MemoryIterator final : public EngineIterator {
 public:
  MemoryIterator(State& disk, std::uint64_t as_of, BytesView begin, BytesView end)
      : disk_(disk), as_of_(as_of), begin_(begin), end_(end) {
    Seek(begin_);
  }

  void Seek(BytesView key) override {
    std::shared_lock lock(disk_.mutex);
    Settle(disk_.records.lower_bound(std::max<BytesView>(key, begin_)));
  }
  bool Valid() const override { return valid_; }
  void Next() override {
    std::shared_lock lock(disk_.mutex);
    Settle(disk_.records.upper_bound(key_));
  }
  BytesView key() const override { return key_; }
  BytesView value() const override { return value_; }
  StoreResult<void> status() const override { return {}; }

 private:
  void Settle(decltype(State::records)::const_iterator record) {
    valid_ = false;
    for (; record != disk_.records.end() && record->first < end_; ++record) {
      if (const std::optional<Bytes>* value = State::Visible(record->second, as_of_)) {
        key_ = record->first;
        value_ = **value;
        valid_ = true;
        return;
      }
    }
  }

  State& disk_;
  const std::uint64_t as_of_;
  const Bytes begin_;
  const Bytes end_;
  Bytes key_;
  Bytes value_;
  bool valid_ = false;
};

class MemorySnapshot final : public EngineSnapshot {
 public:
  explicit MemorySnapshot(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    std::unique_lock lock(disk_->state().mutex);
    as_of_ = disk_->state().last_write;
    disk_->state().live_snapshots.insert(as_of_);
  }
  ~MemorySnapshot() override {
    std::unique_lock lock(disk_->state().mutex);
    disk_->state().live_snapshots.erase(disk_->state().live_snapshots.find(as_of_));
  }

  StoreResult<std::optional<Bytes>> Get(BytesView key) const override {
    std::shared_lock lock(disk_->state().mutex);
    auto record = disk_->state().records.find(key);
    if (record == disk_->state().records.end()) return std::nullopt;
    const std::optional<Bytes>* value = State::Visible(record->second, as_of_);
    return value ? *value : std::nullopt;
  }
  std::unique_ptr<EngineIterator> Iterate(BytesView begin, BytesView end, Caching) const override {
    return std::make_unique<MemoryIterator>(disk_->state(), as_of_, begin, end);
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t as_of_ = 0;
};

class MemoryEngine final : public Engine {
 public:
  explicit MemoryEngine(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    State& state = disk_->state();
    std::unique_lock lock(state.mutex);
    owner_ = ++state.owner;
    state.crashed = false;
    if (state.kept_until_reopened) {
      state.Apply(*state.kept_until_reopened);
      state.kept_until_reopened.reset();
    }
  }

  std::shared_ptr<const EngineSnapshot> MakeSnapshot() override { return std::make_shared<MemorySnapshot>(disk_); }

  StoreResult<std::optional<Bytes>> Get(BytesView key) override {
    State& state = disk_->state();
    std::shared_lock lock(state.mutex);
    if (Dead(state)) return Err(Died());
    auto record = state.records.find(key);
    if (record == state.records.end()) return std::nullopt;
    return record->second.back().second;
  }

  StoreResult<void> Write(const EngineBatch& batch) override {
    State& state = disk_->state();
    std::unique_lock lock(state.mutex);
    if (Dead(state)) return Err(Died());
    WriteFault fault = state.full ? WriteFault::kFull : WriteFault::kNone;
    if (state.planned != WriteFault::kNone && state.write_count == state.planned_at) {
      fault = std::exchange(state.planned, WriteFault::kNone);
    }
    ++state.write_count;
    switch (fault) {
      case WriteFault::kNone:
        state.Apply(batch);
        return {};
      case WriteFault::kFull:
        return Err(StoreError{StoreErrorCode::kFull, "the memory disk is full"});
      case WriteFault::kCrashAfterDurable:
        state.Apply(batch);
        [[fallthrough]];
      case WriteFault::kCrashBeforeDurable:
        state.crashed = true;
        return Err(StoreError{StoreErrorCode::kUnknownOutcome, "the process died"});
      case WriteFault::kSyncFailsKept:
        state.kept_until_reopened = batch;
        [[fallthrough]];
      case WriteFault::kSyncFailsLost:
        return Err(StoreError{StoreErrorCode::kUnknownOutcome, "the memory disk could not be synced"});
    }
    std::unreachable();
  }

  StoreResult<void> Ingest(BytesView key_prefix, const std::vector<PackedRecords>& pieces) override {
    EngineBatch batch;
    for (const PackedRecords& piece : pieces) {
      for (const RecordView& record : piece) batch.Put(Bytes(key_prefix).append(record.id), Bytes(record.value));
    }
    return Write(batch);
  }

  void Reclaim(Bytes, Bytes) override {}
  // The disk holds nothing but what is there.
  StoreResult<Purged> Purge(const std::vector<KeySpan>&) override { return Purged(); }

  std::uint64_t EstimateBytes(BytesView begin, BytesView end) override {
    const State& state = disk_->state();
    std::shared_lock lock(state.mutex);
    std::uint64_t total = 0;
    for (auto record = state.records.lower_bound(begin); record != state.records.end() && record->first < end;
         ++record) {
      if (const auto& newest = record->second.back().second) total += record->first.size() + newest->size();
    }
    return total;
  }

 private:
  bool Dead(const State& state) const { return state.crashed || state.owner != owner_; }
  static StoreError Died() { return {StoreErrorCode::kUnavailable, "the process of this memory engine died"}; }

  const std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t owner_ = 0;
};

}  // namespace

MemoryDisk::MemoryDisk() : state_(std::make_unique<State>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::PlanFault(WriteFault fault, std::uint64_t writes_from_now) {
  std::unique_lock lock(state_->mutex);
  state_->planned = fault;
  state_->planned_at = state_->write_count + writes_from_now;
}

void MemoryDisk::SetFull(bool full) {
  std::unique_lock lock(state_->mutex);
  state_->full = full;
}

std::uint64_t MemoryDisk::write_count() const {
  std::shared_lock lock(state_->mutex);
  return state_->write_count;
}

std::shared_ptr<MemoryDisk> MemoryDisk::Copy() const {
  auto copy = std::make_shared<MemoryDisk>();
  std::shared_lock lock(state_->mutex);
  for (const auto& [key, versions] : state_->records) {
    if (const std::optional<Bytes>& newest = versions.back().second) copy->state_->records[key] = {{0, newest}};
  }
  return copy;
}

void MemoryDisk::SetUnsynced(std::size_t writes) {
  std::unique_lock lock(state_->mutex);
  state_->unsynced_max = writes;
}

void MemoryDisk::LoseUnsynced() {
  std::unique_lock lock(state_->mutex);
  for (; !state_->undo.empty(); state_->undo.pop_back()) state_->Change(state_->undo.back());
}

std::unique_ptr<Engine> MakeMemoryEngine(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryEngine>(std::move(disk));
}

std::unique_ptr<Engine> MakeMemoryEngine() { return MakeMemoryEngine(std::make_shared<MemoryDisk>()); }

}  // namespace symbolon::storage
