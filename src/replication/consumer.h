// The receiving side of one pool's directory: opens it at the primary, takes a copy when told so, applies entries, and
// acknowledges what is durable. It resumes a copy at the cursor that the store kept, and drops the pool when it has to.
// What it holds beyond the primary's history is set aside before the copy that replaces it is asked for.
// A supplier that is known to sign has to: its answer to Open, each piece of a copy, each entry that changes roles, and
// now and then how far its log goes (docs/adr/0024-signatures.md). What is not signed as it has to be ends the stream.
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
#include "replication/log_signatures.h"
#include "replication/options.h"
#include "replication/status.h"
#include "storage/store.h"

namespace symbolon::replication {

// Calls to the store that a consumer wants made. All but ApplyEntries block.
struct ApplyEntries {
  // As storage::AppliedEntries has them.
  std::vector<Bytes> entries;
};
struct BeginStaging {
  storage::pb::Head head;
  storage::pb::History history;
};
struct WriteStaging {
  std::vector<storage::PackedRecords> pieces;
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
    // The supplier does not show that it is who it is known to be: its signature is missing, or not by its log key.
    kUnproven,
    // What is here is not what the supplier signed, or it has not signed it in time.
    kNotSigned,
    // The supplier lacks entries of its own epoch that are here.
    kRolledBack,
  };

  struct Step {
    std::vector<pb::Frame> frames;
    std::optional<StoreCall> call;
  };

  // All references outlive this object.
  Consumer(storage::Store& store, Random& random, const LogSigner& signer, PoolId pool, const Options& options,
           ReplicationCounters& counters);

  // Whom it opens the pool at, and with which key that Region has to sign; empty: it signs nothing.
  void SetSupplier(Region region, Bytes log_key);
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
  // The call has ended. With a head after ApplyEntries, and after SetAside: that of what is kept.
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
  // What the supplier signed last, of what is here; nullopt: nothing on this stream.
  const std::optional<pb::SignedHead>& proven() const { return proven_; }
  // Up to where the supplier has confirmed what is here; nullopt: it signs nothing, or no stream runs.
  std::optional<std::uint64_t> signed_sequence() const;
  // It did not prove who it is. Answered once.
  bool TakeUnproven() { return std::exchange(unproven_, false); }
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
  // ---- signatures (consumer_signatures.cc) ----
  // The answer is signed as it has to be.
  bool IsProven(const pb::Outcome& outcome) const;
  // The supplier lacks what it wrote itself and this Region has.
  bool IsRolledBack(const pb::Outcome& outcome) const;
  bool IsProven(const pb::CopyPiece& piece) const;
  // False: it is no signature of the supplier's.
  bool TakeSignature(const pb::Batch& batch);
  // An entry that changes roles is the last of its batch, and is what the batch's signature is for.
  bool RolesAreSigned(const pb::Batch& batch) const;
  // What is here up to this entry is confirmed.
  void SetConfirmed(std::uint64_t sequence, Instant now);
  void OnApplied(const storage::pb::Head& head, Instant now);
  // Compares what is here with what was signed. False: it is something else.
  bool CheckSignature(Instant now);
  bool SignatureOverdue(Instant now) const;
  void Refuse(Step& step, Problem problem, std::string_view why, Instant now);
  // More came than a supplier that respects `window_bytes` ever sends.
  bool Overflows(std::size_t window_bytes) const;

  // constant
  storage::Store& store_;
  Random& random_;
  const LogSigner& signer_;
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

  std::deque<Bytes> entries_;
  std::size_t queued_bytes_ = 0;
  // Of a copy, in order.
  std::vector<storage::PackedRecords> pieces_;
  bool copy_last_ = false;
  bool begin_staging_ = false;
  storage::pb::Head copy_head_;
  storage::pb::History copy_history_;
  // What of a copy was here when the pool was opened.
  Bytes staging_cursor_;
  std::uint64_t staged_records_ = 0;
  std::uint64_t staged_bytes_ = 0;
  CopyMeter copy_meter_;

  Region supplier_;
  Bytes log_key_;
  // Of the Open that is under way, or was last: its nonce and head.
  pb::Open opened_;
  // Of a copy: the last record that has come.
  Bytes piece_after_;
  // While kFollowing: what is here, and up to where the supplier confirmed it; since when there is more.
  storage::pb::Head applied_;
  std::uint64_t confirmed_sequence_ = 0;
  std::chrono::nanoseconds unconfirmed_since_{};
  // Signed by the supplier; its entries may still be on their way.
  std::optional<pb::SignedHead> signed_ahead_;
  std::optional<pb::SignedHead> proven_;
  bool unproven_ = false;

  std::optional<storage::pb::Epoch> floor_;
  std::optional<storage::pb::Epoch> recovers_for_;
  // The head whose suffix is set aside: until it is replaced by a copy, this Region opens as if it had nothing.
  Bytes set_aside_digest_;
  std::optional<storage::pb::Head> primary_head_;
  std::optional<std::uint64_t> told_to_drop_;
  std::uint64_t member_number_ = 0;
};

}  // namespace symbolon::replication
