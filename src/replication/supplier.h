// The sending side of one pool's directory towards one consumer: answers Open, then streams a copy, entries, or both in
// turn.
//
// A pure state machine: fed with messages, time and news of the store, asked for the next frame whenever the connection
// can take one. Reads the store, never writes it. It outlives connections, so that a cut copy goes on from its pinned
// snapshot. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "replication/copy_meter.h"
#include "replication/head_times.h"
#include "replication/link.pb.h"
#include "replication/log_signatures.h"
#include "replication/options.h"
#include "replication/pacer.h"
#include "replication/role.pb.h"
#include "replication/status.h"
#include "replication/window.h"
#include "storage/store.h"

namespace symbolon::replication {

class Supplier {
 public:
  enum class State { kIdle, kAnswering, kFollowing, kCopying, kFlipping, kEnding };

  // All references outlive this object.
  Supplier(storage::Store& store, const LogSigner& signer, PoolId pool, const Options& options, Window& link_window,
           Pacer& copy_pacer, ReplicationCounters& counters);

  // What the roles say to an Open.
  struct Terms {
    Region consumer;
    // The consumer's row, nullptr if it has none.
    const pb::Member* member = nullptr;
    // This Region may supply the consumer: see SupplierView.
    bool supplies = false;
    // Who does, if known.
    Region hint;
    // Another pin is allowed.
    bool may_copy = false;
    pb::Standing standing;
  };
  // Answers with the next frame.
  void OnOpen(const pb::Open& open, const Terms& terms, Instant now);
  void OnAck(const pb::Ack& ack, Instant now);
  void OnCopyAck(const pb::CopyAck& ack, Instant now);
  // The consumer ended the stream.
  void OnEnd(const pb::End& end);
  void OnDisconnected();
  void OnTick(Instant now);
  // The pool's log grew.
  void OnHead(const storage::pb::Head& head) { head_ = head; }
  // The pool's log was trimmed below `first_kept`.
  void OnTrimmed(std::uint64_t first_kept);
  // This Region is not the primary, or the peer not a member, any more.
  void OnRoleLost();

  // The next frame, if the windows are open and there is something to say. Unnumbered.
  std::optional<pb::Frame> Next(Instant now);
  // Next() would say something whatever the windows are.
  bool has_answer() const { return answer_.has_value() || signature_due_; }

  State state() const { return state_; }
  // What the consumer has durably, as far as it told; nullopt: nothing, or not known.
  const std::optional<storage::pb::Head>& acknowledged() const { return acknowledged_; }
  // The first entry that this consumer still needs; nullopt: it needs a copy first, or has not opened the pool yet.
  std::optional<std::uint64_t> needed_from() const;
  // It has opened the pool since this object was made.
  bool heard() const { return stream_ != 0; }
  // The consumer follows: it holds a complete directory.
  bool following() const { return state_ == State::kFollowing && acknowledged_.has_value(); }
  bool pinned() const { return copy_ != nullptr; }
  // Age, on this Region's clock that never jumps, of the oldest entry up to `head` that is not acknowledged. nullopt:
  // no longer known.
  std::optional<std::chrono::microseconds> LagTime(const storage::pb::Head& head, const HeadTimes& times, Instant now);
  // While pinned().
  CopyProgress copy_progress(Instant now) const { return copy_meter_.Progress(now.since_boot); }

 private:
  struct Sent {
    std::uint64_t last_sequence = 0;  // of a batch
    Bytes cursor;                     // of a piece, as the next two
    std::uint64_t records = 0;
    std::uint64_t record_bytes = 0;
    std::size_t size_bytes = 0;
  };

  void Answer(pb::Outcome outcome, State next_state);
  void AnswerCopy(const pb::Open& open, bool may_copy, Instant now);
  void Finish(pb::EndReason reason);
  void Reset();
  bool signs() const { return !opened_.nonce().empty(); }
  std::optional<pb::Frame> NextBatch(Instant now);
  // A batch ends with the first entry that changes roles, which is signed with it: consumers ask for that before they
  // apply it.
  std::optional<storage::pb::LogEntry> EndWithChangeOfRoles(std::vector<Bytes>& entries) const;
  std::optional<pb::Frame> NextSignature(Instant now);
  std::optional<pb::Frame> NextPiece(Instant now);

  // constant
  storage::Store& store_;
  const LogSigner& signer_;
  const PoolId pool_;
  const Options& options_;
  // Shared by all copies.
  Pacer& copy_pacer_;
  ReplicationCounters& counters_;

  State state_ = State::kIdle;
  std::uint64_t stream_ = 0;
  // What is said before anything else: an Outcome or an End; then the state becomes `state_after_answer_`.
  std::optional<pb::Frame> answer_;
  pb::Standing standing_;
  State state_after_answer_ = State::kIdle;

  storage::pb::Head head_;
  std::uint64_t next_sequence_ = 0;
  std::optional<storage::pb::Head> acknowledged_;
  std::deque<Sent> sent_;
  Window window_;

  // What is answered: nonce and head, and by whom it came.
  pb::Open opened_;
  Region consumer_;
  // This Region owns the epoch that it supplies.
  bool owns_epoch_ = false;
  // The last entry that was signed on this stream, and when the next signature may come.
  std::uint64_t signed_sequence_ = 0;
  std::chrono::nanoseconds sign_at_{};
  bool signature_due_ = false;

  std::unique_ptr<storage::CopySource> copy_;
  // Its own, so that a copy never keeps entries of other pools waiting.
  std::optional<Window> copy_window_;
  Bytes copy_cursor_;
  bool takes_packed_records_ = false;
  CopyMeter copy_meter_;
  std::chrono::nanoseconds copy_progress_at_{};

  // When the entry with this sequence, the oldest not acknowledged, came into being, by Instant::since_boot.
  struct OldestPending {
    std::uint64_t sequence = 0;
    std::chrono::nanoseconds since{};
  };
  std::optional<OldestPending> oldest_pending_;
};

}  // namespace symbolon::replication
