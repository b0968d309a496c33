#include "replication/consumer.h"

#include <iterator>
#include <utility>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

Consumer::Problem ProblemOf(pb::RefusalReason reason) {
  switch (reason) {
    case pb::UNKNOWN_POOL:
      return Consumer::Problem::kUnknownPool;
    case pb::NOT_MEMBER:
      return Consumer::Problem::kNotMember;
    case pb::VERSION:
      return Consumer::Problem::kVersion;
    case pb::BUSY:
      return Consumer::Problem::kBusy;
    default:
      return Consumer::Problem::kProtocol;
  }
}

Consumer::Problem ProblemOf(pb::EndReason reason) {
  switch (reason) {
    case pb::TRIMMED:
      return Consumer::Problem::kTrimmed;
    case pb::STORE:
      return Consumer::Problem::kSupplierFails;
    case pb::ROLE:
      return Consumer::Problem::kNotMember;
    case pb::UNPROVEN:
      return Consumer::Problem::kUnproven;
    default:
      return Consumer::Problem::kProtocol;
  }
}

// nullopt: it is malformed.
std::optional<storage::PackedRecords> RecordsOf(pb::CopyPiece piece) {
  if (!piece.packed_records().empty()) return storage::PackedRecords::Parse(std::move(*piece.mutable_packed_records()));
  storage::PackedRecords records;
  for (const pb::CopyRecord& record : piece.records()) records.Add(record.key(), record.value());
  return records;
}

storage::pb::Position PositionOf(const storage::pb::Head& head) {
  storage::pb::Position position;
  *position.mutable_epoch() = head.epoch();
  position.set_sequence(head.sequence());
  return position;
}

}  // namespace

Consumer::Consumer(storage::Store& store, Random& random, const LogSigner& signer, PoolId pool, const Options& options,
                   ReplicationCounters& counters)
    : store_(store),
      random_(random),
      signer_(signer),
      pool_(std::move(pool)),
      options_(options),
      counters_(counters),
      backoff_(options.backoff_initial, options.backoff_limit) {}

Consumer::Step Consumer::OnConnected(Instant now) {
  connected_ = true;
  retry_at_ = now.since_boot;
  return MaybeOpen(now);
}

void Consumer::OnDisconnected() {
  connected_ = false;
  if (state_ == State::kDropping || state_ == State::kDropped || state_ == State::kSettingAside) return;
  StopStream(problem_, {});
}

Consumer::Step Consumer::Pause(Instant now) {
  Step step;
  if (state_ == State::kFollowing || state_ == State::kCopying || state_ == State::kOpening) {
    Leave(step, pb::ROLE, Problem::kNone, now);
  }
  OnDisconnected();
  return step;
}

Consumer::Step Consumer::Hurry(Instant now) {
  retry_at_ = now.since_boot;
  backoff_.Reset();
  return MaybeOpen(now);
}

Consumer::Step Consumer::OnTick(Instant now) {
  Step step;
  if (state_ == State::kDropping && call_ == Call::kNone && now.since_boot >= retry_at_) {
    StartCall(step, DropPool{});
    return step;
  }
  if (state_ == State::kCopying) {
    Proceed(step, /*hurry=*/true);
    return step;
  }
  if (SignatureOverdue(now)) {
    Refuse(step, Problem::kNotSigned, "the primary has not signed in time what it sent", now);
    return step;
  }
  return MaybeOpen(now);
}

Consumer::Step Consumer::MaybeOpen(Instant now) {
  Step step;
  if (!connected_ || state_ != State::kIdle || call_ != Call::kNone || now.since_boot < retry_at_) return step;
  const auto snapshot = store_.MakeSnapshot();
  auto head = snapshot->Head(pool_);
  auto history = snapshot->History(pool_);
  auto staging = store_.FindStaging(pool_);
  if (!head || (*head && !history) || !staging) {
    StopStream(Problem::kStoreFails, now);
    return step;
  }
  ++stream_;
  state_ = State::kOpening;
  pb::Open& open = *step.frames.emplace_back().mutable_open();
  open.set_pool(pool_.value());
  open.set_stream(stream_);
  if (*head && (*head)->digest() != set_aside_digest_) {
    *open.mutable_head() = **std::move(head);
    *open.mutable_history() = *std::move(history);
  }
  staging_cursor_.clear();
  staged_records_ = 0;
  staged_bytes_ = 0;
  open.set_copy_window_bytes(options_.copy_window_bytes);
  open.set_takes_packed_records(true);
  open.set_nonce(random_.Octets(kNonceBytes));
  opened_.Clear();
  opened_.set_nonce(open.nonce());
  if (open.has_head()) *opened_.mutable_head() = open.head();
  if (recovers_for_) *open.mutable_recovers_for() = *recovers_for_;
  if (*staging) {
    *open.mutable_staging_head() = (*staging)->head;
    open.set_staging_cursor((*staging)->cursor);
    staging_cursor_ = (*staging)->cursor;
    staged_records_ = (*staging)->records;
    staged_bytes_ = (*staging)->size_bytes;
    open.set_staging_records(staged_records_);
    open.set_staging_bytes(staged_bytes_);
  }
  return step;
}

void Consumer::StopStream(Problem problem, Instant now) {
  state_ = State::kIdle;
  problem_ = problem;
  entries_.clear();
  pieces_.clear();
  queued_bytes_ = 0;
  copy_last_ = false;
  begin_staging_ = false;
  signed_ahead_.reset();
  proven_.reset();
  retry_at_ = now.since_boot + backoff_.Next(random_);
}

void Consumer::Leave(Step& step, pb::EndReason reason, Problem problem, Instant now) {
  ++counters_.streams_ended;
  if (connected_) {
    pb::End& end = *step.frames.emplace_back().mutable_end();
    end.set_pool(pool_.value());
    end.set_stream(stream_);
    end.set_reason(reason);
  }
  StopStream(problem, now);
}

Consumer::Step Consumer::OnOutcome(const pb::Outcome& outcome, Instant now) {
  Step step;
  if (outcome.stream() != stream_ || state_ != State::kOpening) return step;
  if (!IsProven(outcome)) {
    Refuse(step, Problem::kUnproven, "the answer is not signed by the log key that is known", now);
    return step;
  }
  const bool supplies = outcome.has_follow() || outcome.has_diverged() || outcome.has_copy();
  if (supplies && floor_ && !recovers_for_ && storage::CompareEpochs(outcome.standing().epoch(), *floor_) < 0) {
    Leave(step, pb::ROLE, Problem::kSupplierFenced, now);
    return step;
  }
  switch (outcome.outcome_case()) {
    case pb::Outcome::kRefused:
      if (outcome.refused() == pb::BEING_DELETED) told_to_drop_ = outcome.member_number();
      StopStream(ProblemOf(outcome.refused()), now);
      break;
    case pb::Outcome::kNotPrimary:
      StopStream(Problem::kNotPrimary, now);
      break;
    case pb::Outcome::kBehind:
      StopStream(Problem::kSupplierBehind, now);
      break;
    case pb::Outcome::kDiverged:
      if (IsRolledBack(outcome)) {
        ++counters_.rollbacks_found;
        log::Error("replication: pool {}: {} does not have what it wrote after {} in the epoch that it is in",
                   pool_.value(), supplier_.value(), outcome.diverged());
        Leave(step, pb::UNPROVEN, Problem::kRolledBack, now);
        break;
      }
      ++counters_.divergences;
      log::Warning("replication: pool {}: this Region holds entries after {} that the primary does not have",
                   pool_.value(), outcome.diverged());
      StopStream(Problem::kDiverged, now);
      state_ = State::kSettingAside;
      StartCall(step, SetAside{outcome.diverged()});
      break;
    case pb::Outcome::kFollow:
      state_ = State::kFollowing;
      problem_ = Problem::kNone;
      applied_ = opened_.head();
      SetConfirmed(applied_.sequence(), now);
      break;
    case pb::Outcome::kCopy: {
      const auto head = store_.MakeSnapshot()->Head(pool_);
      if (!head) {
        Leave(step, pb::STORE, Problem::kStoreFails, now);
        break;
      }
      // A copy of an earlier state than this one would take acknowledged writes back.
      if (*head && storage::ComparePositions(PositionOf(outcome.copy().head()), PositionOf(**head)) < 0) {
        ++counters_.divergences;
        log::Error("replication: pool {}: the primary offers a copy older than what is here", pool_.value());
        Leave(step, pb::PROTOCOL, Problem::kDiverged, now);
        break;
      }
      state_ = State::kCopying;
      problem_ = Problem::kNone;
      copy_head_ = outcome.copy().head();
      copy_history_ = outcome.copy().history();
      begin_staging_ = !outcome.copy().resumes();
      piece_after_ = begin_staging_ ? Bytes() : staging_cursor_;
      copy_meter_.Begin(begin_staging_ ? 0 : staged_records_, begin_staging_ ? 0 : staged_bytes_,
                        outcome.copy().record_count(), outcome.copy().size_bytes(), now.since_boot);
      primary_head_ = copy_head_;
      Proceed(step);
      break;
    }
    case pb::Outcome::OUTCOME_NOT_SET:
      Leave(step, pb::PROTOCOL, Problem::kProtocol, now);
      break;
  }
  return step;
}

bool Consumer::Overflows(std::size_t window_bytes) const {
  // Under way is never more than the window and one frame, which may be a large entry.
  return queued_bytes_ > 2 * window_bytes;
}

Consumer::Step Consumer::OnBatch(pb::Batch batch, Instant now) {
  Step step;
  if (batch.stream() != stream_ || state_ != State::kFollowing) return step;
  if (Overflows(options_.pool_window_bytes)) {
    Leave(step, pb::PROTOCOL, Problem::kProtocol, now);
    return step;
  }
  if (!TakeSignature(batch)) {
    Refuse(step, Problem::kUnproven, "a head is not signed by the log key that is known", now);
    return step;
  }
  if (!RolesAreSigned(batch)) {
    Refuse(step, Problem::kUnproven, "a change of roles is not signed by the log key that is known", now);
    return step;
  }
  if (!CheckSignature(now)) {
    Refuse(step, Problem::kNotSigned, "entries are here that the primary did not sign", now);
    return step;
  }
  primary_head_ = batch.head();
  for (Bytes& entry : *batch.mutable_entries()) {
    queued_bytes_ += entry.size();
    entries_.push_back(std::move(entry));
  }
  Proceed(step);
  return step;
}

Consumer::Step Consumer::OnCopyPiece(pb::CopyPiece piece, Instant now) {
  Step step;
  if (piece.stream() != stream_ || state_ != State::kCopying) return step;
  const bool last = piece.last();
  if (copy_last_ || Overflows(options_.copy_window_bytes)) {
    Leave(step, pb::PROTOCOL, Problem::kProtocol, now);
    return step;
  }
  if (!IsProven(piece)) {
    Refuse(step, Problem::kUnproven, "a piece of a copy is not signed by the log key that is known", now);
    return step;
  }
  std::optional<storage::PackedRecords> records = RecordsOf(std::move(piece));
  if (!records) {
    Leave(step, pb::PROTOCOL, Problem::kProtocol, now);
    return step;
  }
  copy_last_ = last;
  if (!records->empty()) {
    piece_after_ = records->last_id();
    queued_bytes_ += records->size_bytes();
    pieces_.push_back(*std::move(records));
  }
  Proceed(step);
  return step;
}

Consumer::Step Consumer::OnEnd(const pb::End& end, Instant now) {
  Step step;
  if (end.stream() != stream_ ||
      (state_ != State::kOpening && state_ != State::kFollowing && state_ != State::kCopying))
    return step;
  ++counters_.streams_ended;
  StopStream(ProblemOf(end.reason()), now);
  return step;
}

Consumer::Step Consumer::Drop(std::uint64_t member_number, Instant now) {
  Step step;
  if (state_ == State::kDropping || state_ == State::kDropped) return step;
  StopStream(Problem::kNone, now);
  state_ = State::kDropping;
  member_number_ = member_number;
  if (call_ == Call::kNone) StartCall(step, DropPool{});
  return step;
}

void Consumer::StartCall(Step& step, StoreCall call) {
  call_stream_ = stream_;
  static constexpr Call kCalls[] = {Call::kApply, Call::kBeginStaging, Call::kWriteStaging,
                                    Call::kFlip,  Call::kDrop,         Call::kSetAside};
  static_assert(std::size(kCalls) == std::variant_size_v<StoreCall>);
  call_ = kCalls[call.index()];
  step.call = std::move(call);
}

void Consumer::Proceed(Step& step, bool hurry) {
  if (call_ != Call::kNone) return;
  if (state_ == State::kFollowing && !entries_.empty()) {
    ApplyEntries apply;
    call_bytes_ = 0;
    while (!entries_.empty() && (apply.entries.empty() || call_bytes_ < options_.apply_limit_bytes)) {
      call_bytes_ += entries_.front().size();
      apply.entries.push_back(std::move(entries_.front()));
      entries_.pop_front();
    }
    queued_bytes_ -= call_bytes_;
    call_items_ = apply.entries.size();
    return StartCall(step, std::move(apply));
  }
  if (state_ != State::kCopying) return;
  if (begin_staging_) {
    begin_staging_ = false;
    return StartCall(step, BeginStaging{copy_head_, copy_history_});
  }
  if (!pieces_.empty() && (hurry || copy_last_ || queued_bytes_ >= options_.staging_bytes)) {
    call_bytes_ = std::exchange(queued_bytes_, 0);
    call_items_ = 0;
    for (const storage::PackedRecords& piece : pieces_) call_items_ += piece.count();
    call_cursor_ = pieces_.back().last_id();
    return StartCall(step, WriteStaging{std::exchange(pieces_, {})});
  }
  if (!pieces_.empty()) return;
  if (copy_last_) {
    copy_last_ = false;
    StartCall(step, FlipStaging{});
  }
}

void Consumer::AckHead(Step& step, const storage::pb::Head& head) {
  pb::Ack& ack = *step.frames.emplace_back().mutable_ack();
  ack.set_pool(pool_.value());
  ack.set_stream(stream_);
  *ack.mutable_head() = head;
}

Consumer::Step Consumer::OnCallDone(storage::StoreResult<std::optional<storage::pb::Head>> result, Instant now) {
  Step step;
  const Call call = std::exchange(call_, Call::kNone);
  SYMBOLON_CHECK(call != Call::kNone);

  if (state_ == State::kDropping) {
    if (call != Call::kDrop) {
      StartCall(step, DropPool{});
    } else if (result) {
      state_ = State::kDropped;
      pb::Dropped& dropped = *step.frames.emplace_back().mutable_dropped();
      dropped.set_pool(pool_.value());
      dropped.set_member_number(member_number_);
    } else {
      // Facts that the primary lacks: it is about to take them.
      if (result.error().code != storage::StoreErrorCode::kConflict) {
        log::Error("replication: pool {}: cannot be dropped: {}", pool_.value(), result.error().detail);
        problem_ = Problem::kStoreFails;
      }
      retry_at_ = now.since_boot + backoff_.Next(random_);
    }
    return step;
  }

  if (call == Call::kSetAside) return OnSetAside(result, now);

  const bool current = call_stream_ == stream_ && (state_ == State::kFollowing || state_ == State::kCopying);
  if (!result) {
    const bool gap = result.error().code == storage::StoreErrorCode::kGap;
    if (gap) ++counters_.chain_breaks;
    log::Warning("replication: pool {}: {}", pool_.value(), result.error().detail);
    if (current) Leave(step, gap ? pb::GAP : pb::STORE, gap ? Problem::kGap : Problem::kStoreFails, now);
    return step;
  }
  switch (call) {
    case Call::kApply:
      counters_.entries_applied += call_items_;
      backoff_.Reset();
      if (!current) break;
      AckHead(step, **result);
      OnApplied(**result, now);
      if (!CheckSignature(now)) {
        Refuse(step, Problem::kNotSigned, "entries are here that the primary did not sign", now);
        return step;
      }
      break;
    case Call::kWriteStaging:
      copy_meter_.Add(call_items_, call_bytes_);
      backoff_.Reset();
      if (current) {
        pb::CopyAck& ack = *step.frames.emplace_back().mutable_copy_ack();
        ack.set_pool(pool_.value());
        ack.set_stream(stream_);
        ack.set_cursor(std::move(call_cursor_));
      }
      break;
    case Call::kFlip:
      ++counters_.copies_taken;
      if (current) {
        state_ = State::kFollowing;
        applied_ = copy_head_;
        SetConfirmed(applied_.sequence(), now);
        AckHead(step, copy_head_);
      }
      break;
    case Call::kBeginStaging:
    case Call::kDrop:
    case Call::kSetAside:
    case Call::kNone:
      break;
  }
  if (current) {
    Proceed(step);
  } else {
    Step opened = MaybeOpen(now);
    std::ranges::move(opened.frames, std::back_inserter(step.frames));
  }
  return step;
}

Consumer::Step Consumer::OnSetAside(const storage::StoreResult<std::optional<storage::pb::Head>>& result, Instant now) {
  state_ = State::kIdle;
  if (!result || !*result) {
    log::Error("replication: pool {}: entries cannot be set aside, so they stay: {}", pool_.value(),
               result ? "there are none" : result.error().detail);
    StopStream(Problem::kStoreFails, now);
    return {};
  }
  ++counters_.suffixes_set_aside;
  // Should the log have grown since, what is here is opened, and set aside, again.
  set_aside_digest_ = (*result)->digest();
  retry_at_ = now.since_boot;
  return MaybeOpen(now);
}

}  // namespace symbolon::replication
