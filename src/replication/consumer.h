// The receiving side of one pool's directory: opens it at the primary, takes a copy when told so, applies entries, and
// acknowledges what is durable. It resumes a copy at the cursor that the store kept, and drops the pool when it has to.
// What it holds beyond the primary's history is set aside before the copy that replaces it is asked for.
//
// A pure state machine: its outputs are frames and at most one call to the store at a time, whose result is fed back.
// It outlives connections. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "replication/backoff.h"
#include "replication/copy_meter.h"
#include "replication/link.pb.h"
#include "replication/options.h"
#include "replication/status.h"
#include "storage/store.h"

namespace symbolon::replication {

// Calls to the store that a consumer wants made. All but ApplyEntries block.
struct ApplyEntries {
  std::vector<storage::pb::LogEntry> entries;
};
struct BeginStaging {
  storage::pb::Head head;
  storage::pb::History history;
};
struct WriteStaging {
  std::vector<storage::Record> records;
};
struct FlipStaging {};
struct DropPool {};
// Keeps what is here beyond `fork` in the SuffixArchive.
struct SetAside {
  std::uint64_t fork;
};

using StoreCall = std::variant<ApplyEntries, BeginStaging, WriteStaging, FlipStaging, DropPool, SetAside>;

class Consumer {
 public:
  enum class State {
    kIdle,
    kOpening,
    kFollowing,
    kCopying,
    kSettingAside,
    // The store is emptied of the pool; afterwards this object is of no use any more.
    kDropping,
    kDropped,
  };

  // Why the stream does not run, for the operator.
  enum class Problem {
    kNone,
    kUnknownPool,
    kNotMember,
    kVersion,
    kBusy,
    kNotPrimary,
    // This Region knows a higher epoch than the supplier.
    kSupplierBehind,
    // The supplier's epoch is lower than one that this Region promised.
    kSupplierFenced,
    // This Region holds entries that the primary does not have.
    kDiverged,
    kGap,
    kTrimmed,
    kStoreFails,
    kSupplierFails,
    kProtocol,
  };

  struct Step {
    std::vector<pb::Frame> frames;
    std::optional<StoreCall> call;
  };

  // All references outlive this object.
  Consumer(storage::Store& store, Random& random, PoolId pool, const Options& options, ReplicationCounters& counters);

  Step OnConnected(Instant now);
  // The result of a call under way is still awaited.
  void OnDisconnected();
  // Ends the stream, if there is one, until OnConnected.
  Step Pause(Instant now);
  // The supplier has more to offer than when it was last asked: no back-off.
  Step Hurry(Instant now);
  // From now on suppliers of lower epochs are not followed.
  void SetFloor(storage::pb::Epoch epoch) { floor_ = std::move(epoch); }
  // While set, the supplier is one that promised this epoch to this Region, which collects the longest log.
  void SetRecovery(std::optional<storage::pb::Epoch> epoch) { recovers_for_ = std::move(epoch); }
  Step OnOutcome(const pb::Outcome& outcome, Instant now);
  Step OnBatch(pb::Batch batch, Instant now);
  Step OnCopyPiece(pb::CopyPiece piece, Instant now);
  Step OnEnd(const pb::End& end, Instant now);
  Step OnTick(Instant now);
  // The call has ended; `head` after ApplyEntries.
  Step OnCallDone(storage::StoreResult<std::optional<storage::pb::Head>> result, Instant now);
  // The pool has to go from this Region, in which it is member `member_number`.
  Step Drop(std::uint64_t member_number, Instant now);

  State state() const { return state_; }
  bool connected() const { return connected_; }
  // A call to the store is under way.
  bool busy() const { return call_ != Call::kNone; }
  Problem problem() const { return problem_; }
  std::uint64_t member_number() const { return member_number_; }
  // The primary's head as last heard on a stream.
  const std::optional<storage::pb::Head>& primary_head() const { return primary_head_; }
  // The supplier said that this Region has to drop the pool, as this member. Answered once.
  std::optional<std::uint64_t> TakeToldToDrop() { return std::exchange(told_to_drop_, std::nullopt); }
  // While kCopying.
  CopyProgress copy_progress(Instant now) const { return copy_meter_.Progress(now.since_boot); }

 private:
  Step MaybeOpen(Instant now);
  Step OnSetAside(const storage::StoreResult<std::optional<storage::pb::Head>>& result, Instant now);
  // Starts the next call that the queues ask for, unless one is under way. Records of a copy wait for more, until
  // staging_bytes of them are there or `hurry` is set.
  void Proceed(Step& step, bool hurry = false);
  void StartCall(Step& step, StoreCall call);
  // Leaves the stream, says so, and comes again later.
  void Leave(Step& step, pb::EndReason reason, Problem problem, Instant now);
  void StopStream(Problem problem, Instant now);
  void AckHead(Step& step, const storage::pb::Head& head);
  // More came than a supplier that respects `window_bytes` ever sends.
  bool Overflows(std::size_t window_bytes) const;

  // constant
  storage::Store& store_;
  Random& random_;
  const PoolId pool_;
  const Options& options_;
  ReplicationCounters& counters_;

  State state_ = State::kIdle;
  Problem problem_ = Problem::kNone;
  bool connected_ = false;
  std::uint64_t stream_ = 0;
  Backoff backoff_;
  std::chrono::nanoseconds retry_at_{};

  // The call under way; what it belongs to may be over when it ends.
  enum class Call { kNone, kApply, kBeginStaging, kWriteStaging, kFlip, kDrop, kSetAside };
  Call call_ = Call::kNone;
  std::uint64_t call_stream_ = 0;
  std::uint64_t call_bytes_ = 0;
  std::size_t call_items_ = 0;
  Bytes call_cursor_;

  std::deque<storage::pb::LogEntry> entries_;
  std::size_t queued_bytes_ = 0;
  // Of a copy, in order.
  std::vector<storage::Record> records_;
  bool copy_last_ = false;
  bool begin_staging_ = false;
  storage::pb::Head copy_head_;
  storage::pb::History copy_history_;
  // What of a copy was here when the pool was opened.
  std::uint64_t staged_records_ = 0;
  std::uint64_t staged_bytes_ = 0;
  CopyMeter copy_meter_;

  std::optional<storage::pb::Epoch> floor_;
  std::optional<storage::pb::Epoch> recovers_for_;
  // The head whose suffix is set aside: until it is replaced by a copy, this Region opens as if it had nothing.
  Bytes set_aside_digest_;
  std::optional<storage::pb::Head> primary_head_;
  std::optional<std::uint64_t> told_to_drop_;
  std::uint64_t member_number_ = 0;
};

}  // namespace symbolon::replication
