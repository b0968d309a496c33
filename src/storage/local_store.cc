#include "storage/local_store.h"

#include <algorithm>

#include "storage/facts.h"
#include "storage/keys.h"
#include "storage/log.h"

namespace symbolon::storage {
namespace {

constexpr BytesView kFormat = "symbolon store 1";
constexpr std::size_t kIncarnationBytes = 16;
// So many log entries are deleted one by one; more as a range, which costs readers something until it is compacted.
constexpr std::uint64_t kTrimOneByOneMax = 1'000;
// So few are read one by one: to a replica that keeps up goes what has just been written, and looking for a key costs
// less than an iterator.
constexpr std::uint64_t kReadOneByOneMax = 4;

auto Refused(std::string why) { return Err(StoreError{StoreErrorCode::kUnavailable, std::move(why)}); }

// Draws the incarnation and writes what identifies the store.
StoreResult<Core::Identity> Create(Engine& engine, const LocalStore::Options& options) {
  const auto snapshot = engine.MakeSnapshot();
  const auto anything = snapshot->Iterate(BytesView("\0", 1), "\xff");
  SYMBOLON_TRY_VOID(anything->status());
  if (anything->Valid()) return Refused("the database holds data, but is no Symbolon store");
  Core::Identity identity{options.region, options.random->Octets(kIncarnationBytes)};
  EngineBatch batch;
  batch.Put(keys::Meta("format"), Bytes(kFormat));
  batch.Put(keys::Meta("incarnation"), identity.incarnation);
  batch.Put(keys::Meta("region"), identity.region.value());
  SYMBOLON_TRY_VOID(engine.Write(batch));
  return identity;
}

StoreResult<Core::Identity> Identify(Engine& engine, const LocalStore::Options& options) {
  SYMBOLON_TRY(const std::optional<Bytes> format, engine.Get(keys::Meta("format")));
  if (!format) return Create(engine, options);
  if (*format != kFormat) {
    return Refused("the store has the format \"" + *format + "\"; this version reads \"" + Bytes(kFormat) + "\" only");
  }
  SYMBOLON_TRY(const std::optional<Bytes> region, engine.Get(keys::Meta("region")));
  SYMBOLON_TRY(std::optional<Bytes> incarnation, engine.Get(keys::Meta("incarnation")));
  if (!region || !incarnation || incarnation->size() != kIncarnationBytes) {
    return Err(StoreError{StoreErrorCode::kCorrupt, "the store's own description is incomplete"});
  }
  if (*region != options.region.value()) {
    return Refused("the store belongs to the Region " + *region + ", not " + options.region.value());
  }
  return Core::Identity{options.region, *std::move(incarnation)};
}

StoreResult<Generations> ReadGenerations(Engine& engine) {
  Generations generations;
  const auto snapshot = engine.MakeSnapshot();
  const auto states = snapshot->Iterate(keys::PoolStates(), keys::PrefixEnd(keys::PoolStates()));
  for (; states->Valid(); states->Next()) {
    SYMBOLON_TRY(const std::optional<pb::PoolState> state, ParseStored<pb::PoolState>(Bytes(states->value())));
    if (state->generation() != keys::kFirstGeneration) {
      generations[keys::PoolOfPoolState(states->key())] = state->generation();
    }
  }
  SYMBOLON_TRY_VOID(states->status());
  return generations;
}

}  // namespace

StoreResult<std::unique_ptr<LocalStore>> LocalStore::Open(std::unique_ptr<Engine> engine, const Options& options) {
  SYMBOLON_CHECK(options.clock && options.random);
  SYMBOLON_CHECK(!options.region.empty() && keys::WellFormedName(options.region.value()));
  SYMBOLON_TRY(Core::Identity identity, Identify(*engine, options));
  SYMBOLON_TRY(Generations generations, ReadGenerations(*engine));
  return std::unique_ptr<LocalStore>(
      new LocalStore(std::move(engine), std::move(identity), std::move(generations), options));
}

LocalStore::LocalStore(std::unique_ptr<Engine> engine, Core::Identity identity, Generations generations,
                       const Options& options)
    : random_(*options.random),
      ingest_bytes_min_(options.ingest_bytes_min),
      core_(std::move(engine), std::move(identity), *options.clock, std::move(generations), options.window_keys),
      committer_(core_, options.limits) {}

LocalStore::~LocalStore() = default;

std::unique_ptr<Snapshot> LocalStore::MakeSnapshot() { return std::make_unique<LocalSnapshot>(core_.view()); }

void LocalStore::Submit(Commit commit, CommitCallback done) { committer_.Submit(std::move(commit), std::move(done)); }

std::unique_ptr<Subscription> LocalStore::Subscribe(Listener listener, AfterNotices after) {
  return core_.notifier().Subscribe(std::move(listener), std::move(after));
}

StoreResult<std::vector<Bytes>> LocalStore::ReadLogAsStored(const PoolId& pool, std::uint64_t first_sequence,
                                                            std::size_t limit_bytes) {
  return ReadEntries(core_.view(), pool, first_sequence, limit_bytes, /*whole=*/true);
}

StoreResult<std::vector<Bytes>> LocalStore::ReadEntries(const View& view, const PoolId& pool,
                                                        std::uint64_t first_sequence, std::size_t limit_bytes,
                                                        bool whole) {
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, view.PoolState(pool));
  if (!state) return Err(StoreError{StoreErrorCode::kGap, "the pool has no log here"});
  if (first_sequence < state->first_kept_sequence()) {
    return Err(StoreError{StoreErrorCode::kGap, "the log does not reach back so far"});
  }
  if (whole && first_sequence <= state->erased_through()) {
    return Err(StoreError{StoreErrorCode::kGap, "bodies of the log were erased"});
  }
  const std::uint64_t head = state->head().sequence();
  if (first_sequence > head) return std::vector<Bytes>();
  const auto missing = [] { return Err(StoreError{StoreErrorCode::kCorrupt, "a log entry is missing"}); };
  std::vector<Bytes> entries;
  std::size_t size_bytes = 0;
  const auto fits = [&](std::size_t more_bytes) {
    size_bytes += more_bytes;
    return entries.empty() || size_bytes <= limit_bytes;
  };
  if (head - first_sequence < kReadOneByOneMax) {
    for (std::uint64_t sequence = first_sequence; sequence <= head; ++sequence) {
      SYMBOLON_TRY(std::optional<Bytes> entry, view.engine->Get(keys::LogEntry(pool, state->generation(), sequence)));
      if (!entry) return missing();
      if (!fits(entry->size())) break;
      entries.push_back(*std::move(entry));
    }
    return entries;
  }
  const Bytes log = keys::LogEntries(pool, state->generation());
  const auto stored =
      view.engine->Iterate(keys::LogEntry(pool, state->generation(), first_sequence), keys::PrefixEnd(log));
  for (; stored->Valid() && fits(stored->value().size()); stored->Next()) {
    if (stored->key() != keys::LogEntry(pool, state->generation(), first_sequence + entries.size())) return missing();
    entries.emplace_back(stored->value());
  }
  SYMBOLON_TRY_VOID(stored->status());
  if (entries.empty()) return missing();
  return entries;
}

StoreResult<std::vector<pb::LogEntry>> LocalStore::ReadLog(const PoolId& pool, std::uint64_t first_sequence,
                                                           std::size_t limit_bytes) {
  SYMBOLON_TRY(const std::vector<Bytes> stored,
               ReadEntries(core_.view(), pool, first_sequence, limit_bytes, /*whole=*/false));
  std::vector<pb::LogEntry> entries(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!entries[i].ParseFromString(stored[i]) || entries[i].sequence() != first_sequence + i) {
      return Err(StoreError{StoreErrorCode::kCorrupt, "a log entry does not parse, or is not the one of its key"});
    }
  }
  return entries;
}

StoreResult<std::optional<Bytes>> LocalStore::DigestAt(const PoolId& pool, std::uint64_t sequence) {
  if (sequence == 0) return ZeroDigest();
  const View view = core_.view();
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, view.PoolState(pool));
  if (!state || sequence > state->head().sequence() || sequence + 1 < state->first_kept_sequence()) return std::nullopt;
  if (sequence == state->head().sequence()) return state->head().digest();
  if (sequence + 1 == state->first_kept_sequence()) return state->digest_before_first_kept();
  SYMBOLON_TRY(std::optional<pb::LogEntry> next,
               view.GetMessage<pb::LogEntry>(keys::LogEntry(pool, state->generation(), sequence + 1)));
  if (!next) return Err(StoreError{StoreErrorCode::kCorrupt, "a kept log entry is missing"});
  return std::move(*next->mutable_previous_digest());
}

void LocalStore::Apply(AppliedEntries entries, ApplyCallback done) {
  committer_.Apply(std::move(entries), std::move(done));
}

StoreResult<Store::LogSize> LocalStore::MeasureLog(const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, core_.PoolState(pool));
  if (!state) return LogSize();
  const Bytes first = keys::LogEntry(pool, state->generation(), state->first_kept_sequence());
  const Bytes end = keys::PrefixEnd(keys::LogEntries(pool, state->generation()));
  return LogSize{.bytes = core_.engine().EstimateBytes(first, end),
                 .entries = state->head().sequence() + 1 - state->first_kept_sequence()};
}

StoreResult<void> LocalStore::TrimLog(const PoolId& pool, std::uint64_t first_kept_sequence) {
  std::lock_guard lock(core_.write_mutex());
  SYMBOLON_TRY(std::optional<pb::PoolState> state, core_.PoolState(pool));
  if (!state) return Err(StoreError{StoreErrorCode::kGap, "the pool has no log here"});
  const std::uint64_t first = state->first_kept_sequence();
  const std::uint64_t end = std::min(first_kept_sequence, state->head().sequence() + 1);
  if (end <= first) return {};
  SYMBOLON_TRY(const std::optional<Bytes> digest_before, DigestAt(pool, end - 1));
  SYMBOLON_CHECK(digest_before);
  state->set_first_kept_sequence(end);
  state->set_digest_before_first_kept(*digest_before);
  EngineBatch batch;
  if (end - first <= kTrimOneByOneMax) {
    for (std::uint64_t sequence = first; sequence < end; ++sequence) {
      batch.Delete(keys::LogEntry(pool, state->generation(), sequence));
    }
  } else {
    batch.DeleteRange(keys::LogEntry(pool, state->generation(), first), keys::LogEntry(pool, state->generation(), end));
  }
  batch.Put(keys::PoolState(pool), state->SerializeAsString());
  SYMBOLON_TRY_VOID(core_.Write(batch));
  core_.Publish({});
  return {};
}

StoreResult<std::vector<pb::FactEntry>> LocalStore::ReadFacts(const PoolId& pool, const Region& region,
                                                              BytesView incarnation, std::uint64_t first_number,
                                                              std::size_t limit_bytes) {
  return ReadFactEntries(core_.view(), pool, region.value(), incarnation, first_number, limit_bytes);
}

void LocalStore::MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                            std::move_only_function<void(StoreResult<void>)> done) {
  committer_.MergeFacts(std::move(pool), std::move(entries), std::move(done));
}

StoreResult<std::size_t> LocalStore::CompactFacts(const PoolId& pool, const pb::FactVector& held, std::size_t limit) {
  const StoreResult<std::size_t> dropped = CompactFactLogs(core_, pool, held, limit);
  if (dropped && *dropped > 0) core_.PublishAsIs();
  return dropped;
}

StoreResult<std::size_t> LocalStore::ForgetExpiredFacts(Timestamp now, std::size_t limit) {
  return ForgetExpired(core_, now, limit);
}

StoreResult<void> LocalStore::DropPool(const PoolId& pool, const pb::FactVector* facts_elsewhere) {
  SYMBOLON_CHECK(!pool.empty());
  std::unique_lock staging(staging_mutex_);
  std::unique_lock lock(core_.write_mutex());
  if (facts_elsewhere != nullptr) {
    SYMBOLON_TRY(const pb::FactVector here, LocalSnapshot(core_.view()).Facts(pool));
    if (!Covers(*facts_elsewhere, here)) {
      return Err(StoreError{StoreErrorCode::kConflict, "the pool has facts that are nowhere else"});
    }
  }
  EngineBatch batch;
  SYMBOLON_TRY_VOID(RenameFactLog(batch, pool));
  for (const Bytes& prefix : keys::EverythingOf(pool)) batch.DeleteRange(prefix, keys::PrefixEnd(prefix));
  SYMBOLON_TRY_VOID(core_.Write(batch));
  Notice notice;
  notice.version = core_.NextVersion();
  notice.pool = pool;
  notice.everything = true;
  core_.recent_writes().AddEverything(notice.version);
  core_.SetGeneration(pool, keys::kFirstGeneration);
  core_.Publish({notice});
  lock.unlock();
  staging.unlock();
  core_.notifier().NotifyAfter(/*more_follows=*/false);
  for (const Bytes& prefix : keys::EverythingOf(pool)) core_.engine().Reclaim(prefix, keys::PrefixEnd(prefix));
  return {};
}

StoreResult<void> LocalStore::RenameFactLog(EngineBatch& batch, const PoolId& pool) {
  SYMBOLON_TRY(std::optional<Bytes> renamed, core_.engine().Get(keys::FactIncarnation(pool)));
  const Bytes& incarnation = renamed ? *renamed : core_.identity().incarnation;
  SYMBOLON_TRY(const std::optional<Bytes> number,
               core_.engine().Get(keys::FactProgress(pool, region().value(), incarnation)));
  if (number) batch.Put(keys::FactIncarnation(pool), random_.Octets(kIncarnationBytes));
  return {};
}

CommitterThread::CommitterThread(LocalStore& store)
    : thread_([&store](std::stop_token stop) {
        while (!stop.stop_requested() && store.WaitForWork(stop)) store.Step();
      }) {}

}  // namespace symbolon::storage
