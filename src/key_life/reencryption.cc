#include "key_life/reencryption.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "key_life/commit.h"
#include "key_life/former_keys.h"
#include "key_life/older_records.h"
#include "keys/wrapped_pool_keys.h"
#include "replication/roles.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;
using directory::ReencryptionKind;
using directory::pb::ReencryptionRecord;
using std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kBatchRecordsMin = 8;
constexpr std::size_t kBatchBytesMax = 2 << 20;
// With a pace, so many commits in a second.
constexpr std::uint64_t kBatchesPerSecond = 20;
constexpr std::size_t kScannedAtOnceMin = 64;
// Looked at in one step, also when none of them has to be sealed anew; and what of that costs as much as sealing one.
constexpr std::size_t kLookedAtPerStep = 5'000;
constexpr std::size_t kLooksPerReseal = 32;
// So often the cursor is stored though nothing was sealed.
constexpr std::uint64_t kLookedAtUnstoredMax = 200'000;
constexpr nanoseconds kLagPoll = std::chrono::milliseconds(5);
// The rate that is shown is that of about so long.
constexpr double kRateSeconds = 3;

storage::Key KeyOf(const PoolId& pool, RecordType type) {
  return {.space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = {}};
}

// nullopt: there is none.
storage::StoreResult<std::optional<ReencryptionRecord>> ReadRecord(const storage::Snapshot& snapshot,
                                                                   const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> stored, snapshot.Get(KeyOf(pool, RecordType::kReencryption)));
  if (!stored) return std::nullopt;
  ReencryptionRecord record;
  if (record.ParseFromString(*stored)) return record;
  log::Error("pool {}: the record of a re-encryption is damaged", pool.value());
  return std::nullopt;
}

}  // namespace

ReencryptionRecord BeginReencryption(directory::Transaction& tx, std::uint64_t records_per_second, Timestamp now) {
  ReencryptionRecord record = tx.Get<ReencryptionKind>("").value_or(ReencryptionRecord());
  const bool is_new = record.started_micros() == 0 || record.state() == ReencryptionRecord::DONE;
  if (is_new) {
    record.Clear();
    record.set_started_micros(ToMicros(now));
  }
  record.set_records_per_second_max(records_per_second);
  tx.Put<ReencryptionKind>("", record);
  return record;
}

// The work on one pool, as far as it is not in its record.
struct Reencryption::Job {
  std::size_t batch_records = 0;
  // Looked at since the record was stored, up to where.
  Bytes cursor;
  std::uint64_t looked_at = 0;
  // When the record's rate was measured last.
  std::optional<nanoseconds> measured_at;
  double rate = 0;
  std::uint64_t measured_done = 0;
  std::string problem;
  // Records that did not open in this walk, and in the one before.
  std::uint64_t damaged = 0;
  std::uint64_t damaged_before = 0;
  // While it finishes.
  std::optional<FormerKeysSearch> search;

  // Empty: all have opened.
  std::string Damage() const {
    const std::uint64_t records = std::max(damaged, damaged_before);
    if (records == 0) return "";
    return fmt::format("{} records do not open, so that their former data keys stay: see the log of the primary.",
                       records);
  }
};

// Collects the next records that a former generation sealed, in one snapshot.
class Reencryption::Walk {
 public:
  Walk(const Services& services, const PoolId& pool, std::shared_ptr<const keys::PoolKeys> keys, Bytes cursor)
      : services_(services),
        pool_(pool),
        keys_(std::move(keys)),
        snapshot_(services.store.MakeSnapshot()),
        cursor_(std::move(cursor)) {
    commit_.pool = pool;
    commit_.snapshot_version = snapshot_->version();
  }

  // True: the walk has come to the directory's end.
  storage::StoreResult<bool> Run(std::size_t batch_records) {
    std::optional<std::uint16_t> type;
    std::optional<Bytes> after;
    if (!cursor_.empty()) {
      type = ReadBigEndian16(cursor_);
      after = cursor_.substr(2);
    }
    while (looked_at_ < kLookedAtPerStep && commit_.directory.size() < batch_records && bytes_ < kBatchBytesMax) {
      if (!type || !after) {
        SYMBOLON_TRY(const auto source, services_.store.OpenCopy(pool_));
        SYMBOLON_TRY(type, NextType(*source, type));
        if (!type) return true;
        after = Bytes();
        // An empty id comes before every other, and Scan starts after `after`.
        SYMBOLON_TRY_VOID(LookAtFirst(*type));
      }
      SYMBOLON_TRY_VOID(ScanSome(*type, after, batch_records));
    }
    return false;
  }

  const Bytes& cursor() const { return cursor_; }
  std::size_t looked_at() const { return looked_at_; }
  std::size_t resealed() const { return commit_.directory.size(); }
  // Looked at, of a former generation, and left as they are.
  std::size_t damaged() const { return damaged_; }
  storage::Commit& commit() { return commit_; }

 private:
  storage::StoreResult<void> LookAtFirst(std::uint16_t type) {
    const storage::Key key{.space = storage::Space::kDirectory, .pool = pool_, .type = type, .id = {}};
    SYMBOLON_TRY(const std::optional<Bytes> value, snapshot_->Get(key));
    if (value) LookAt(key, *value);
    return {};
  }

  storage::StoreResult<void> ScanSome(std::uint16_t type, std::optional<Bytes>& after, std::size_t batch_records) {
    const storage::KeyRange range{.space = storage::Space::kDirectory, .pool = pool_, .type = type, .id_prefix = {}};
    SYMBOLON_TRY(storage::Page page, snapshot_->Scan(range, after, std::max(kScannedAtOnceMin, 2 * batch_records)));
    for (storage::Record& record : page.records) {
      if (commit_.directory.size() >= batch_records || bytes_ >= kBatchBytesMax) return {};
      after = record.id;
      LookAt({.space = range.space, .pool = pool_, .type = type, .id = std::move(record.id)}, record.value);
    }
    if (!page.next) after.reset();
    return {};
  }

  void LookAt(const storage::Key& key, BytesView value) {
    ++looked_at_;
    cursor_.clear();
    AppendBigEndian16(cursor_, key.type);
    cursor_ += key.id;
    const auto generation = keys::GenerationOf(value);
    if (!generation || *generation == keys_->sealing_generation()) return;
    const auto plain = keys_->Open(key, value);
    if (!plain) {
      // It stays as it is, and so does its generation if the pool has it.
      log::Error("record of type {} in pool {} does not open: {}", key.type, pool_.value(), plain.error().detail);
      ++damaged_;
      return;
    }
    commit_.reads.push_back(key);
    commit_.directory.push_back({.key = key, .value = keys_->Seal(key, *plain, services_.random)});
    bytes_ += value.size();
  }

  const Services& services_;
  const PoolId& pool_;
  const std::shared_ptr<const keys::PoolKeys> keys_;
  const std::unique_ptr<storage::Snapshot> snapshot_;
  Bytes cursor_;
  std::size_t looked_at_ = 0;
  std::size_t damaged_ = 0;
  std::size_t bytes_ = 0;
  storage::Commit commit_;
};

Reencryption::Reencryption(Services services, Options options, LagOf lag_of)
    : services_(std::move(services)), options_(options), lag_of_(std::move(lag_of)), jobs_(services_.clock) {
  subscription_ = services_.store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

Reencryption::~Reencryption() = default;

void Reencryption::OnNotice(const storage::Notice& notice) {
  const bool concerns = notice.everything || std::ranges::any_of(notice.keys, [](const storage::Key& key) {
                          return key.space == storage::Space::kDirectory &&
                                 (key.type == static_cast<std::uint16_t>(RecordType::kReencryption) ||
                                  key.type == static_cast<std::uint16_t>(RecordType::kRole));
                        });
  if (concerns) jobs_.Note(notice.pool);
}

std::optional<nanoseconds> Reencryption::RunDue() {
  // Pools without any are forgotten at their first step.
  if (!listed_) listed_ = jobs_.NoteAll(*services_.store.MakeSnapshot());
  const std::optional<nanoseconds> due = jobs_.RunDue([this](const PoolId& pool, Job& job) {
    const auto wait = Step(pool, job);
    const std::lock_guard lock(mutex_);
    if (wait && !job.problem.empty()) {
      problems_[pool] = job.problem;
    } else {
      problems_.erase(pool);
    }
    return wait;
  });
  if (listed_) return due;
  const nanoseconds again = services_.clock.SinceBoot() + options_.retry;
  return std::min(due.value_or(again), again);
}

void Reencryption::WaitUntil(const std::stop_token& stop, std::optional<nanoseconds> due) {
  jobs_.WaitUntil(stop, due);
}

std::string Reencryption::ProblemOf(const PoolId& pool) const {
  std::lock_guard lock(mutex_);
  const auto found = problems_.find(pool);
  return found == problems_.end() ? "" : found->second;
}

nanoseconds Reencryption::Wait(Job& job, std::string problem) const {
  job.problem = std::move(problem);
  return options_.retry;
}

std::optional<nanoseconds> Reencryption::Step(const PoolId& pool, Job& job) {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto role = RoleAsPrimary(services_, *snapshot, pool);
  if (!role && role.error().code == CommitFailureCode::kUnavailable) return Wait(job, "The store fails.");
  if (!role) return std::nullopt;
  const auto stored = ReadRecord(*snapshot, pool);
  if (!stored) {
    log::Error("re-encryption of pool {}: {}", pool.value(), stored.error().detail);
    return Wait(job, "The store fails.");
  }
  const std::optional<ReencryptionRecord>& record = *stored;
  if (!record || record->state() == ReencryptionRecord::DONE) return std::nullopt;
  if (services_.gate != nullptr && !services_.gate->IsOpen(pool)) return Wait(job, "The primary Region is changing.");
  return record->state() == ReencryptionRecord::RUNNING ? Reseal(pool, job, *record) : Finish(pool, job, *record);
}

nanoseconds Reencryption::Reseal(const PoolId& pool, Job& job, ReencryptionRecord record) {
  const nanoseconds started = services_.clock.SinceBoot();
  auto keys = services_.keys.KeysOf(*services_.store.MakeSnapshot(), pool);
  if (!keys) return Wait(job, keys.error().message);
  if (lag_of_ && lag_of_(pool) > options_.lag_max) {
    job.problem = "A replica lags.";
    return kLagPoll;
  }
  const std::uint64_t pace = record.records_per_second_max();
  std::size_t batch_max = options_.batch_records_max;
  if (pace > 0) batch_max = std::clamp<std::size_t>(pace / kBatchesPerSecond, kBatchRecordsMin, batch_max);
  if (job.batch_records == 0 || job.batch_records > batch_max) job.batch_records = batch_max;
  if (job.looked_at == 0) job.cursor = record.cursor();

  Walk walk(services_, pool, *std::move(keys), job.cursor);
  const auto ended = walk.Run(job.batch_records);
  if (!ended) {
    log::Error("re-encryption of pool {}: {}", pool.value(), ended.error().detail);
    return Wait(job, "The store fails.");
  }
  job.problem = job.Damage();
  const std::size_t resealed = walk.resealed();
  const std::uint64_t looked_at = job.looked_at + walk.looked_at();
  if (!job.measured_at) {
    job.measured_at = started;
    job.measured_done = record.records_done();
  }
  const auto pause = [&]() -> nanoseconds {
    if (pace == 0) return nanoseconds(0);
    const double cost =
        static_cast<double>(resealed) + static_cast<double>(walk.looked_at()) / static_cast<double>(kLooksPerReseal);
    const auto fair = std::chrono::duration_cast<nanoseconds>(Seconds(cost / static_cast<double>(pace)));
    return std::max(nanoseconds(0), fair - (services_.clock.SinceBoot() - started));
  };
  if (resealed == 0 && !*ended && looked_at < kLookedAtUnstoredMax) {
    job.cursor = walk.cursor();
    job.looked_at = looked_at;
    job.damaged += walk.damaged();
    return pause();
  }

  if (record.records_total() == 0) {
    const auto source = services_.store.OpenCopy(pool);
    record.set_records_total(source ? (*source)->record_count() : 0);
  }
  record.set_cursor(walk.cursor());
  record.set_records_done(record.records_done() + looked_at);
  record.set_records_total(std::max(record.records_total(), record.records_done()));
  record.set_records_resealed(record.records_resealed() + resealed);
  const double seconds = Seconds(services_.clock.SinceBoot() - *job.measured_at).count();
  if (seconds >= kRateSeconds || (job.rate == 0 && seconds > 0)) {
    job.rate = static_cast<double>(record.records_done() - job.measured_done) / seconds;
    if (seconds >= kRateSeconds) job.measured_at.reset();
  }
  record.set_records_per_second(job.rate);
  if (*ended) {
    record.set_state(ReencryptionRecord::FINISHING);
    record.clear_cursor();
    record.set_records_total(record.records_done());
  }

  storage::Commit& commit = walk.commit();
  for (const RecordType type : {RecordType::kRole, RecordType::kWrappedKeys, RecordType::kReencryption}) {
    commit.reads.push_back(KeyOf(pool, type));
  }
  commit.directory.push_back({.key = KeyOf(pool, RecordType::kReencryption), .value = record.SerializeAsString()});
  const auto role = RoleAsPrimary(services_, *services_.store.MakeSnapshot(), pool);
  if (!role) return Wait(job, role.error().detail);
  const auto committed = SubmitAndWait(services_, std::move(commit), *role);
  if (committed) {
    job.looked_at = 0;
    job.damaged += walk.damaged();
    job.batch_records = std::min(batch_max, job.batch_records * 2);
    return pause();
  }
  // Somebody changed one of the records: fewer at a time meet fewer changes.
  job.looked_at = 0;
  const auto& store = committed.error().store;
  if (store && store->code == storage::StoreErrorCode::kConflict) {
    job.batch_records = std::max(kBatchRecordsMin, job.batch_records / 2);
    return nanoseconds(0);
  }
  return Wait(job, Describe(committed.error()));
}

nanoseconds Reencryption::Finish(const PoolId& pool, Job& job, const ReencryptionRecord& record) {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto head = snapshot->Head(pool);
  const auto stored = snapshot->Get(KeyOf(pool, RecordType::kWrappedKeys));
  const auto role = RoleAsPrimary(services_, *snapshot, pool);
  if (!head || !*head || !stored || !*stored || !role) return Wait(job, "The store fails.");
  const auto contents = keys::ContentsOfPoolKeys(**stored);
  if (!contents) return Wait(job, "The record of wrapped keys cannot be read.");
  if (contents->offered_at) return Wait(job, "The user pool's key is changing.");
  std::set<Bytes> former;
  for (const auto& generation : contents->generations) {
    if (generation.name != contents->sealing_generation) former.insert(generation.name);
  }

  std::set<Bytes> in_suffixes;
  if (!former.empty()) {
    const Bytes role_record = replication::SerializeRole(*role);
    const bool goes_on = job.search && job.search->subject().wrapped == **stored &&
                         job.search->subject().role == role_record && job.search->subject().generations == former;
    if (!goes_on) {
      std::vector<Region> members;
      for (const replication::pb::Member& member : role->members()) {
        if (member.state() != replication::pb::DELETING) members.emplace_back(member.region());
      }
      job.search.emplace(FormerKeysSearch::Subject{.pool = pool,
                                                   .wrapped = **stored,
                                                   .role = role_record,
                                                   .generations = former,
                                                   .members = std::move(members),
                                                   .sequence = (*head)->sequence()});
    }
    const FormerKeysSearch::Outcome outcome = job.search->Step(services_);
    job.problem = job.search->problem().empty() ? job.Damage() : job.search->problem();
    if (outcome == FormerKeysSearch::Outcome::kMore) return nanoseconds(0);
    if (outcome == FormerKeysSearch::Outcome::kWait) return options_.retry;
    in_suffixes = job.search->in_suffixes();
    job.search.reset();
    if (outcome == FormerKeysSearch::Outcome::kFound) return WalkAgain(pool, job);
  }
  std::set<Bytes> dropped;
  std::ranges::set_difference(former, in_suffixes, std::inserter(dropped, dropped.end()));
  const auto done = CommitPlan(services_, pool, [&](directory::Transaction& tx, const auto& role_now) {
    // A replica that was added meanwhile has not been asked.
    if (replication::SerializeRole(role_now) != replication::SerializeRole(*role)) return false;
    if (tx.GetClear(RecordType::kWrappedKeys, "") != **stored) return false;
    auto now = tx.Get<ReencryptionKind>("");
    if (!now || now->state() != ReencryptionRecord::FINISHING) return false;
    if (!dropped.empty()) {
      auto without = keys::DropGenerations(**stored, dropped);
      if (!without) return false;
      tx.PutClear(RecordType::kWrappedKeys, "", *std::move(without));
    }
    now->set_state(ReencryptionRecord::DONE);
    now->set_ended_micros(ToMicros(services_.clock.Now()));
    now->set_generations_kept(static_cast<std::uint32_t>(former.size() - dropped.size()));
    tx.Put<ReencryptionKind>("", *now);
    return true;
  });
  if (!done) return Wait(job, done.error().detail);
  if (*done) {
    log::Info("pool {} is re-encrypted: {} records, {} former data keys dropped, {} kept", pool.value(),
              record.records_resealed(), dropped.size(), former.size() - dropped.size());
  }
  return nanoseconds(0);
}

// Records of a former data key came by meanwhile, or did not open: all of them are looked at again.
nanoseconds Reencryption::WalkAgain(const PoolId& pool, Job& job) {
  const auto again = CommitPlan(services_, pool, [&](directory::Transaction& tx, const auto&) {
    auto now = tx.Get<ReencryptionKind>("");
    if (!now || now->state() != ReencryptionRecord::FINISHING) return false;
    now->set_state(ReencryptionRecord::RUNNING);
    now->clear_cursor();
    now->set_records_done(0);
    now->set_records_total(0);
    tx.Put<ReencryptionKind>("", *now);
    return true;
  });
  if (!again) return Wait(job, again.error().detail);
  job.damaged_before = std::exchange(job.damaged, 0);
  job.problem = job.Damage();
  return job.damaged_before > 0 ? options_.damaged_retry : nanoseconds(0);
}

}  // namespace symbolon::key_life
