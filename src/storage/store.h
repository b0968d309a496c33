// The storage contract: an ordered, transactional key-value store of one Region that keeps, per pool, a totally ordered
// directory log and gapless fact logs beside the records (architecture §5, replication protocol §1, §3, §5).
//
// Every method is thread-safe. Reads never block on writes. What is not yet durable is never shown, shipped or
// answered. Values are opaque (sealed by the caller).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "storage/log.pb.h"
#include "storage/packed_records.h"

namespace symbolon::storage {

enum class StoreErrorCode {
  // Something that the commit read has changed since its snapshot: plan again. Also answered when the snapshot is older
  // than the window in which changes are remembered.
  kConflict,
  // The write may or may not be durable: find out (read) before answering anybody. The store refuses writes from then
  // on.
  kUnknownOutcome,
  // No room for the write: nothing of it was done. Reads go on.
  kFull,
  // The store is closed, or refuses writes after a failed sync.
  kUnavailable,
  // This store did not open the pool's current epoch and may not extend its log (a secondary), or has promised not to.
  kNotWriter,
  // Entries or facts to be applied do not continue what is here.
  kGap,
  // A fact of the commit expires before the time up to which this store has forgotten facts, so nobody can tell any
  // more whether it was accepted before: refuse what it stands for.
  kExpired,
  // Stored octets are not what was written, or entries to be applied are malformed.
  kCorrupt,
};

// `detail` is for the operator's log, never for a client.
struct StoreError {
  StoreErrorCode code;
  std::string detail;
};

template <class T>
using StoreResult = Result<T, StoreError>;

// ---- keys ----

enum class Space : std::uint8_t {
  // Replicated with the pool; every change is an entry of its directory log.
  kDirectory = 'd',
  // Kept by each Region for itself.
  kRegional = 'r',
  // Merged facts; written by Commit::facts and MergeFacts only. Values are serialised pb::FactValue.
  kFact = 'f',
};

inline constexpr std::size_t kKeyIdBytesMax = 1'000;
// A pool id, a Region's name: at most so many octets, none of them NUL.
inline constexpr std::size_t kNameBytesMax = 200;

// A logical key. `type` is one of the owner's record types (directory/record_types.h, auth/fact_types.h ...); `pool`
// may be empty in kRegional for what belongs to no pool. `id` holds at most kKeyIdBytesMax octets and reveals nothing
// (HMACs, random ids).
struct Key {
  Space space = Space::kDirectory;
  PoolId pool;
  std::uint16_t type = 0;
  Bytes id;

  auto operator<=>(const Key&) const = default;
  bool operator==(const Key&) const = default;
};

// All keys of one type whose id starts with `id_prefix`.
struct KeyRange {
  Space space = Space::kDirectory;
  PoolId pool;
  std::uint16_t type = 0;
  Bytes id_prefix;
};

struct Record {
  Bytes id;
  Bytes value;
};

struct Page {
  std::vector<Record> records;
  // Pass as `after` to go on; nullopt: the range is exhausted.
  std::optional<Bytes> next;
};

// ---- reads ----

// A consistent state at one version. Cheap to make, not to be kept for long (the engine cannot drop what it shows).
// Thread-safe.
class Snapshot {
 public:
  virtual ~Snapshot() = default;

  virtual StoreResult<std::optional<Bytes>> Get(const Key& key) const = 0;
  // At most `limit` records (1 to 10,000) with id > after, ascending by id.
  virtual StoreResult<Page> Scan(const KeyRange& range, const std::optional<Bytes>& after, std::size_t limit) const = 0;
  // nullopt: the pool has no log in this Region.
  virtual StoreResult<std::optional<pb::Head>> Head(const PoolId& pool) const = 0;
  virtual StoreResult<pb::History> History(const PoolId& pool) const = 0;
  // The highest epoch of Commit::promise so far; nullopt: none. Outlives the pool.
  virtual StoreResult<std::optional<pb::Epoch>> Promised(const PoolId& pool) const = 0;
  // Every pool with a log in this Region, ascending, after `after`.
  virtual StoreResult<std::vector<PoolId>> Pools(const std::optional<PoolId>& after, std::size_t limit) const = 0;
  // How far each Region's fact log is merged here; this store's own component included.
  virtual StoreResult<pb::FactVector> Facts(const PoolId& pool) const = 0;
  // Grows with every commit of this store while it is open; what read sets are validated against. Not comparable with
  // versions from before the store was opened.
  virtual std::uint64_t version() const = 0;
};

// ---- writes ----

struct Change {
  Key key;
  // nullopt: delete.
  std::optional<Bytes> value;
};

struct FactChange {
  Key key;  // in kFact
  // Joined with what is there; also appended to this store's fact log.
  pb::FactValue value;
};

// All or nothing, serialisable, durable when answered. Keys out of bounds, in the wrong space or twice in one commit
// are bugs of the caller (CHECK).
struct Commit {
  PoolId pool;
  // What was read, and when. A commit that read nothing is never in conflict.
  std::uint64_t snapshot_version = 0;
  std::vector<Key> reads;
  std::vector<KeyRange> range_reads;

  // Changes in kDirectory of `pool`: one log entry. Each key at most once.
  std::vector<Change> directory;
  // Set: the entry opens this epoch (`counter`; Region and incarnation are this store's), which must be above the
  // head's; the first commit of a new pool sets it to 1. Not set: the head's epoch goes on, and must be this store's
  // own.
  std::optional<std::uint64_t> start_epoch_counter;
  // Set: kConflict unless the log's head has this sequence.
  std::optional<std::uint64_t> at_sequence;
  // Set: from this commit on, this store appends nothing of its own to the pool's log in an epoch below this one
  // (kNotWriter). kConflict when a higher epoch was promised, or is in the log, already; kCorrupt: not IsPlausible.
  std::optional<pb::Epoch> promise;
  // Changes in kRegional, of any pool.
  std::vector<Change> regional;
  // In kFact of `pool`.
  std::vector<FactChange> facts;
};

struct Committed {
  // The entry's position; nullopt if nothing was logged.
  std::optional<pb::Position> position;
  std::uint64_t version = 0;
};

using CommitCallback = std::move_only_function<void(StoreResult<Committed>)>;

// Entries of another Region's log, as they came, gapless: each a pb::LogEntry, as ReadLogAsStored gives it.
struct AppliedEntries {
  PoolId pool;
  std::vector<Bytes> entries;
};

using ApplyCallback = std::move_only_function<void(StoreResult<pb::Head>)>;

// ---- copies ----

// A pool's directory at one position, for sending: streams in key order, in bounded pieces. Not thread-safe.
class CopySource {
 public:
  virtual ~CopySource() = default;
  virtual const pb::Head& head() const = 0;
  virtual const pb::History& history() const = 0;
  // Records with type ‖ id > cursor (empty: from the start), up to about `limit_bytes`; empty at the end. `id` of each
  // record is type ‖ id. Cheapest when `cursor` is where the call before ended.
  virtual StoreResult<PackedRecords> NextPacked(BytesView cursor, std::size_t limit_bytes) = 0;
  StoreResult<std::vector<Record>> Next(BytesView cursor, std::size_t limit_bytes);
  // All records, for progress; may be an estimate.
  virtual std::uint64_t record_count() const = 0;
  // Of all keys and values, as Next() gives them.
  virtual std::uint64_t size_bytes() const = 0;
};

// ---- notices ----

// What one durable commit, applied batch, merge or flip changed. Called on the committer's thread, in version order,
// before the writer's callback; must be quick and must not call back into the store's writes synchronously.
struct Notice {
  std::uint64_t version = 0;
  PoolId pool;
  // Set when the pool's log grew (or a copy replaced it).
  std::optional<pb::Head> head;
  // Keys that changed in kDirectory, kRegional and kFact. Empty with `everything`: any key of the pool may have changed
  // (flip, drop).
  std::vector<Key> keys;
  bool everything = false;
  bool facts_grew = false;
};

using Listener = std::function<void(const Notice&)>;
// After the notices of one write and its answers, on the same thread, when the store holds no lock any more: the place
// for work that a notice asks for. `more_follows`: the next write waits already, and this thread is needed for it.
using AfterNotices = std::function<void(bool more_follows)>;

// ---- purging ----

// What of a pool is to be purged (Store::Purge).
struct PurgeScope {
  // All of it, in every space, with its logs and copies; what follows says nothing then.
  bool everything = false;
  // What these had been before.
  std::vector<Key> keys = {};
  // What entries of the directory log had been before, and those that are gone.
  bool directory_log = false;
  // The same of fact logs and merged facts.
  bool facts = false;
};

struct Purged {
  // Files of the store that held some of it, or may have, and are gone.
  std::uint64_t files = 0;
};

class Subscription {
 public:
  virtual ~Subscription() = default;  // ends it; no call is under way afterwards, but one that ends itself
};

class Store {
 public:
  virtual ~Store() = default;

  // 16 octets that this store drew when it was made.
  virtual const Bytes& incarnation() const = 0;
  virtual const Region& region() const = 0;

  // Must not outlive the store; nor may a CopySource.
  virtual std::unique_ptr<Snapshot> MakeSnapshot() = 0;
  // Never blocks. The callback runs exactly once: on the committer's thread, or on the caller's, at once and with
  // kUnavailable, when the bounded queue is full; when the store is destroyed first, with kUnavailable. The same holds
  // for Apply and MergeFacts.
  virtual void Submit(Commit commit, CommitCallback done) = 0;
  [[nodiscard]] virtual std::unique_ptr<Subscription> Subscribe(Listener listener, AfterNotices after = nullptr) = 0;

  // -- directory log, for replication --
  // Entries from `first_sequence`, gapless, up to about `limit_bytes` (at least one if there is one). kGap: no longer
  // kept. Bodies may have been erased (EraseLogBodies).
  virtual StoreResult<std::vector<pb::LogEntry>> ReadLog(const PoolId& pool, std::uint64_t first_sequence,
                                                         std::size_t limit_bytes) = 0;
  // The same, serialised, as they are stored, for another Region to apply: kGap as well when one from `first_sequence`
  // on has lost a body.
  virtual StoreResult<std::vector<Bytes>> ReadLogAsStored(const PoolId& pool, std::uint64_t first_sequence,
                                                          std::size_t limit_bytes) = 0;
  // The digest of the entry with this sequence (0: the zero digest), if it is kept or is the one before the first kept.
  virtual StoreResult<std::optional<Bytes>> DigestAt(const PoolId& pool, std::uint64_t sequence) = 0;
  // Appends entries of another Region and makes their changes, all in one durable commit. Entries at or below the head
  // whose digests agree are skipped; a gap, a digest that does not chain or an epoch that goes backwards is kGap, what
  // is no proper entry kCorrupt; both change nothing. A pool without a log here starts with sequence 1. A change whose
  // body was erased deletes its key.
  virtual void Apply(AppliedEntries entries, ApplyCallback done) = 0;
  struct LogSize {
    // About.
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
  };
  // Of the entries that are kept.
  virtual StoreResult<LogSize> MeasureLog(const PoolId& pool) = 0;
  // Drops entries below `first_kept_sequence`; the digest before it stays.
  virtual StoreResult<void> TrimLog(const PoolId& pool, std::uint64_t first_kept_sequence) = 0;
  // Erases bodies of the entries up to `last_sequence`: those for which `which` says so, of their key (type ‖ id) and
  // value. Keys and digests stay, so the log chains as before. Records are not touched. Answers how many were erased;
  // durable when it returns, in pieces before: doing it again is harmless. Blocking; writes go on.
  using ErasesBody = std::function<bool(BytesView key, BytesView value)>;
  virtual StoreResult<std::uint64_t> EraseLogBodies(const PoolId& pool, std::uint64_t last_sequence,
                                                    const ErasesBody& which) = 0;
  // The last entry that has lost a body; 0: none has.
  virtual StoreResult<std::uint64_t> LogErasedThrough(const PoolId& pool) = 0;

  // -- fact logs --
  // Ascending from `first_number`; what was forgotten, or dropped by CompactFacts, is covered by
  // FactEntry::forgotten_before, so that the answer is gapless, and forgotten_until_micros is this store's horizon.
  virtual StoreResult<std::vector<pb::FactEntry>> ReadFacts(const PoolId& pool, const Region& region,
                                                            BytesView incarnation, std::uint64_t first_number,
                                                            std::size_t limit_bytes) = 0;
  // Joins facts of other Regions into kFact and advances the vector, in one durable commit. Known ones are skipped; a
  // gap (kGap), or what is no entry (kCorrupt), ends its log only. What expires before the time up to which this store
  // has forgotten facts only advances the vector. What an entry says was forgotten, and is not here, is so here too.
  virtual void MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                          std::move_only_function<void(StoreResult<void>)> done) = 0;
  // Drops entries of fact logs (at most `limit`) whose statement is part of a later entry that `held` covers; answers
  // how many. `held`: how far every member of the pool has each log, as the caller knows. Blocking. So whoever is past
  // a dropped entry without having had it can get the later one from every other member.
  virtual StoreResult<std::size_t> CompactFacts(const PoolId& pool, const pb::FactVector& held, std::size_t limit) = 0;
  // Forgets merged facts that expired before `now` (at most `limit`), and log entries of facts so forgotten; answers
  // how many.
  virtual StoreResult<std::size_t> ForgetExpiredFacts(Timestamp now, std::size_t limit) = 0;

  // -- copies --
  virtual StoreResult<std::unique_ptr<CopySource>> OpenCopy(const PoolId& pool) = 0;
  // A staging generation of the pool's directory, beside the live one. Begin drops an older staging of another head.
  // The cursor that the last WriteStaging made durable survives restarts.
  struct Staging {
    pb::Head head;
    pb::History history;
    Bytes cursor;
    std::uint64_t records = 0;
    std::uint64_t size_bytes = 0;
  };
  virtual StoreResult<std::optional<Staging>> FindStaging(const PoolId& pool) = 0;
  virtual StoreResult<void> BeginStaging(const PoolId& pool, const pb::Head& head, const pb::History& history) = 0;
  // Blocking. The records of all pieces ascend and lie past the cursor; durable with the cursor when it returns.
  virtual StoreResult<void> WritePackedStaging(const PoolId& pool, const std::vector<PackedRecords>& pieces) = 0;
  StoreResult<void> WriteStaging(const PoolId& pool, const std::vector<Record>& records);
  // One commit: the staging generation becomes the pool's directory, its head and history the pool's. The former
  // generation and log go. kConflict: that log is not as it was at BeginStaging.
  virtual StoreResult<void> FlipStaging(const PoolId& pool) = 0;
  virtual StoreResult<void> DropStaging(const PoolId& pool) = 0;

  // Removes every trace of the pool in all spaces. Facts that are accepted here later, if the pool comes back, are
  // numbered under a new incarnation. Blocking.
  // With `facts_elsewhere`: kConflict, and nothing is removed, when facts are here that it does not cover.
  virtual StoreResult<void> DropPool(const PoolId& pool, const pb::FactVector* facts_elsewhere = nullptr) = 0;

  // When it succeeds, values in this scope that were deleted or written over before the call are in no file of the
  // store. What is there stays. (Keys, which reveal nothing, may be named yet where the engine lists its files, until
  // it is opened again; what the file system and the disk keep of removed files is theirs.) Blocking, for as long as it
  // takes to write anew what lies in the scope, and little around it; everybody else goes on. kConflict: somebody reads
  // a state of before, such as a copy that is being sent, of any pool: try again later. kFull: no room for it.
  virtual StoreResult<Purged> Purge(const PoolId& pool, const PurgeScope& scope) = 0;
};

}  // namespace symbolon::storage
