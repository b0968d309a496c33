#include "storage/committer.h"

#include <algorithm>
#include <set>

#include "storage/directory_log.h"
#include "storage/facts.h"
#include "storage/keys.h"
#include "storage/log.h"

namespace symbolon::storage {
namespace {

void CheckKey(const Key& key) {
  SYMBOLON_CHECK(key.id.size() <= kKeyIdBytesMax);
  SYMBOLON_CHECK(keys::WellFormedName(key.pool.value()));
}

template <class T>
void CheckDistinct(const std::vector<T>& changes) {
  std::vector<const Key*> sorted;
  sorted.reserve(changes.size());
  for (const T& change : changes) sorted.push_back(&change.key);
  const auto less = [](const Key* a, const Key* b) { return *a < *b; };
  const auto equal = [](const Key* a, const Key* b) { return *a == *b; };
  std::sort(sorted.begin(), sorted.end(), less);
  SYMBOLON_CHECK(std::adjacent_find(sorted.begin(), sorted.end(), equal) == sorted.end());
}

void CheckCommit(const Commit& commit) {
  for (const Change& change : commit.directory) {
    CheckKey(change.key);
    SYMBOLON_CHECK(change.key.space == Space::kDirectory && change.key.pool == commit.pool);
  }
  for (const Change& change : commit.regional) {
    CheckKey(change.key);
    SYMBOLON_CHECK(change.key.space == Space::kRegional);
  }
  for (const FactChange& change : commit.facts) {
    CheckKey(change.key);
    SYMBOLON_CHECK(change.key.space == Space::kFact && change.key.pool == commit.pool);
    SYMBOLON_CHECK(change.value.expires_at_micros() >= 0);
  }
  if (!commit.directory.empty() || commit.start_epoch_counter || commit.at_sequence || commit.promise ||
      !commit.facts.empty()) {
    SYMBOLON_CHECK(!commit.pool.empty());
  }
  CheckDistinct(commit.directory);
  CheckDistinct(commit.regional);
  CheckDistinct(commit.facts);
}

std::size_t SizeBytes(const Commit& commit) {
  std::size_t total = 256;
  for (const Key& key : commit.reads) total += 64 + key.id.size();
  for (const KeyRange& range : commit.range_reads) total += 64 + range.id_prefix.size();
  for (const auto* changes : {&commit.directory, &commit.regional}) {
    for (const Change& change : *changes)
      total += 128 + change.key.id.size() + (change.value ? change.value->size() : 0);
  }
  for (const FactChange& change : commit.facts) total += 128 + change.key.id.size() + change.value.ByteSizeLong();
  return total;
}

std::size_t SizeBytes(const AppliedEntries& applied) {
  std::size_t total = 256;
  for (const Bytes& entry : applied.entries) total += 64 + entry.size();
  return total;
}

std::size_t SizeBytes(const std::vector<pb::FactEntry>& entries) {
  std::size_t total = 256;
  for (const pb::FactEntry& entry : entries) total += 64 + entry.ByteSizeLong();
  return total;
}

}  // namespace

Committer::~Committer() {
  for (Request& request : queue_) {
    request.prepared = Err(StoreError{StoreErrorCode::kUnavailable, "the store is closed"});
    Answer(request);
  }
}

void Committer::Submit(Commit commit, CommitCallback done) {
  CheckCommit(commit);
  const std::size_t size_bytes = SizeBytes(commit);
  Enqueue({CommitRequest{std::move(commit), std::move(done), {}}, size_bytes});
}

void Committer::Apply(AppliedEntries entries, ApplyCallback done) {
  SYMBOLON_CHECK(!entries.pool.empty() && keys::WellFormedName(entries.pool.value()));
  const std::size_t size_bytes = SizeBytes(entries);
  Enqueue({ApplyRequest{std::move(entries), std::move(done), {}}, size_bytes});
}

void Committer::MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                           std::move_only_function<void(StoreResult<void>)> done) {
  SYMBOLON_CHECK(!pool.empty() && keys::WellFormedName(pool.value()));
  const std::size_t size_bytes = SizeBytes(entries);
  Enqueue({MergeRequest{std::move(pool), std::move(entries), std::move(done)}, size_bytes});
}

void Committer::Enqueue(Request request) {
  {
    std::lock_guard lock(queue_mutex_);
    if (queue_.size() < limits_.queue_requests_max &&
        (queue_.empty() || queue_bytes_ + request.size_bytes <= limits_.queue_bytes_max)) {
      queue_bytes_ += request.size_bytes;
      queue_.push_back(std::move(request));
      if (queue_.size() == 1) work_.notify_one();
      return;
    }
  }
  request.prepared = Err(StoreError{StoreErrorCode::kUnavailable, "too much waits to be committed"});
  Answer(request);
}

bool Committer::WaitForWork(std::stop_token stop) {
  std::unique_lock lock(queue_mutex_);
  return work_.wait(lock, stop, [this] { return !queue_.empty(); });
}

std::vector<Committer::Request> Committer::TakeBatch() {
  std::lock_guard lock(queue_mutex_);
  std::vector<Request> batch;
  batch.reserve(std::min(queue_.size(), limits_.step_requests_max));
  std::size_t size_bytes = 0;
  while (!queue_.empty() && batch.size() < limits_.step_requests_max &&
         (batch.empty() || size_bytes + queue_.front().size_bytes <= limits_.step_bytes_max)) {
    size_bytes += queue_.front().size_bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= size_bytes;
  return batch;
}

bool Committer::Step() {
  std::vector<Request> batch;
  bool told;
  {
    // Taken under the write mutex, so that batches are written in the order of the queue whoever steps.
    std::lock_guard lock(core_.write_mutex());
    batch = TakeBatch();
    if (batch.empty()) return false;
    told = Process(batch);
  }
  for (Request& request : batch) Answer(request);
  if (told) core_.notifier().NotifyAfter(HasWork());
  return true;
}

bool Committer::HasWork() {
  std::lock_guard lock(queue_mutex_);
  return !queue_.empty();
}

bool Committer::Process(std::vector<Request>& batch) {
  WriteSet writes(core_.engine());
  for (Request& request : batch) {
    if (StoreResult<void> writable = core_.CheckWritable(); !writable) {
      request.prepared = Err(std::move(writable).error());
      continue;
    }
    writes.Mark();
    request.prepared = std::visit([&](auto& what) { return Prepare(what, writes); }, request.what);
    if (!request.prepared) writes.TakeBackToMark();
  }
  if (!writes.empty()) {
    if (const StoreResult<void> written = core_.Write(writes.TakeBatch()); !written) {
      // What read nothing new of this batch may be answered all the same, but not told apart here.
      for (Request& request : batch) {
        if (request.prepared) request.prepared = Err(written.error());
      }
      core_.PublishVersionOnly();
      return false;
    }
  }
  std::vector<Notice> notices;
  for (Request& request : batch) {
    if (request.prepared && *request.prepared) notices.push_back(**std::move(request.prepared));
  }
  if (notices.empty()) return false;
  core_.Publish(notices);
  return true;
}

void Committer::Answer(Request& request) {
  const auto answer = [&](auto& done, auto&& value) {
    if (request.prepared) {
      done(std::forward<decltype(value)>(value));
    } else {
      done(Err(request.prepared.error()));
    }
  };
  if (auto* commit = std::get_if<CommitRequest>(&request.what)) {
    answer(commit->done, std::move(commit->committed));
  } else if (auto* apply = std::get_if<ApplyRequest>(&request.what)) {
    answer(apply->done, std::move(apply->head));
  } else {
    auto& merge = std::get<MergeRequest>(request.what);
    answer(merge.done, merge.refused ? StoreResult<void>(Err(*std::move(merge.refused))) : StoreResult<void>());
  }
}

StoreResult<std::optional<Notice>> Committer::Prepare(CommitRequest& request, WriteSet& writes) {
  Commit& commit = request.commit;
  if (core_.recent_writes().Conflicts(commit)) {
    return Err(StoreError{StoreErrorCode::kConflict, "something that the commit read has changed"});
  }
  Notice notice;
  notice.pool = commit.pool;
  if (!commit.directory.empty() || commit.start_epoch_counter || commit.at_sequence || commit.promise) {
    SYMBOLON_TRY(LogWriter log, LogWriter::Open(writes, commit.pool));
    if (commit.at_sequence && log.head().sequence() != *commit.at_sequence) {
      return Err(StoreError{StoreErrorCode::kConflict, "the log has grown"});
    }
    if (commit.promise) SYMBOLON_TRY_VOID(log.Promise(*commit.promise));
  }
  if (!commit.directory.empty() || commit.start_epoch_counter) {
    SYMBOLON_TRY(LogWriter log, LogWriter::Open(writes, commit.pool));
    SYMBOLON_TRY_VOID(
        log.AppendOwn(core_.identity(), commit.start_epoch_counter, commit.directory, core_.clock().Now()));
    log.Finish();
    notice.head = log.head();
    pb::Position& position = request.committed.position.emplace();
    *position.mutable_epoch() = log.head().epoch();
    position.set_sequence(log.head().sequence());
    for (Change& change : commit.directory) notice.keys.push_back(std::move(change.key));
  }
  for (Change& change : commit.regional) {
    Bytes key = keys::Regional(change.key.pool, change.key.type, change.key.id);
    if (change.value) {
      writes.Put(std::move(key), *std::move(change.value));
    } else {
      writes.Delete(std::move(key));
    }
    notice.keys.push_back(std::move(change.key));
  }
  FactWriter facts(writes, commit.pool);
  for (FactChange& change : commit.facts) {
    SYMBOLON_TRY_VOID(facts.Accept(core_.identity(), keys::TypeAndId(change.key.type, change.key.id), change.value));
    notice.facts_grew = true;
    notice.keys.push_back(std::move(change.key));
  }
  // From here on nothing fails.
  notice.version = core_.NextVersion();
  request.committed.version = notice.version;
  for (const Key& key : notice.keys) core_.recent_writes().Add(keys::Window(key), notice.version);
  return notice;
}

StoreResult<std::optional<Notice>> Committer::Prepare(ApplyRequest& request, WriteSet& writes) {
  SYMBOLON_TRY(LogWriter log, LogWriter::Open(writes, request.applied.pool));
  std::vector<Bytes>& entries = request.applied.entries;
  // One for all, because it keeps what it has allocated.
  pb::LogEntry entry;
  const auto read = [&entry](const Bytes& octets) { return entry.ParseFromString(octets); };
  const auto no_entry = [] { return Err(StoreError{StoreErrorCode::kCorrupt, "what came is no log entry"}); };

  // Known entries: the last of them must be ours; those before it must chain up to it.
  std::optional<Bytes> known;
  std::uint64_t known_sequence = 0;
  auto next = entries.begin();
  for (; next != entries.end(); ++next) {
    if (!read(*next)) return no_entry();
    if (entry.sequence() > log.head().sequence()) break;
    if (entry.previous_digest().size() != kDigestBytes || entry.sequence() == 0 ||
        (known && (entry.previous_digest() != *known || entry.sequence() != known_sequence + 1))) {
      return Err(StoreError{StoreErrorCode::kGap, "the entries do not chain among themselves"});
    }
    known = EntryDigest(entry);
    known_sequence = entry.sequence();
  }
  if (known) {
    SYMBOLON_TRY(const std::optional<Bytes> ours, log.DigestAt(known_sequence));
    if (ours != known) return Err(StoreError{StoreErrorCode::kGap, "an entry differs from the one that is here"});
  }

  Notice notice;
  notice.pool = request.applied.pool;
  const bool grows = next != entries.end();
  // The first of them has been read.
  while (next != entries.end()) {
    SYMBOLON_TRY_VOID(log.AppendForeign(core_.identity(), entry, std::move(*next), notice.keys));
    if (++next != entries.end() && !read(*next)) return no_entry();
  }
  request.head = log.head();
  if (!grows) return std::nullopt;
  log.Finish();
  notice.head = log.head();
  notice.version = core_.NextVersion();
  for (const Key& key : notice.keys) core_.recent_writes().Add(keys::Window(key), notice.version);
  return notice;
}

StoreResult<std::optional<Notice>> Committer::Prepare(MergeRequest& request, WriteSet& writes) {
  FactWriter facts(writes, request.pool);
  std::vector<Bytes> changed;
  bool grew = false;
  // Region and incarnation: who sends one log that does not continue, or is none, keeps no other from coming.
  std::set<std::pair<Bytes, Bytes>> ended;
  for (pb::FactEntry& entry : request.entries) {
    std::pair<Bytes, Bytes> log(entry.region(), entry.incarnation());
    if (ended.contains(log)) continue;
    const std::size_t place = writes.Place();
    const std::size_t changed_before = changed.size();
    StoreResult<bool> advanced = facts.Merge(core_.identity(), std::move(entry), changed);
    if (advanced) {
      grew = grew || *advanced;
      continue;
    }
    const StoreErrorCode code = advanced.error().code;
    if (code != StoreErrorCode::kGap && code != StoreErrorCode::kCorrupt) return Err(std::move(advanced).error());
    writes.TakeBackTo(place);
    changed.resize(changed_before);
    ended.insert(std::move(log));
    if (!request.refused) request.refused = std::move(advanced).error();
  }
  if (!grew) return std::nullopt;
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  Notice notice;
  notice.pool = request.pool;
  notice.facts_grew = true;
  notice.version = core_.NextVersion();
  for (const Bytes& key : changed) {
    notice.keys.push_back({Space::kFact, request.pool, ReadBigEndian16(key), key.substr(2)});
    core_.recent_writes().Add(keys::Window(notice.keys.back()), notice.version);
  }
  return notice;
}

}  // namespace symbolon::storage
