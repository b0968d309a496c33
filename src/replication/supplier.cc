#include "replication/supplier.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "replication/open.h"
#include "replication/roles.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

// A frame's own octets beside the values, and an entry's, a record's: what the window counts for them.
constexpr std::size_t kOverheadBytes = 128;
// Of consumers that do not tell theirs.
constexpr std::uint64_t kCopyWindowUntoldBytes = 2 << 20;

bool SameHead(const storage::pb::Head& a, const storage::pb::Head& b) {
  return a.sequence() == b.sequence() && a.digest() == b.digest() && storage::CompareEpochs(a.epoch(), b.epoch()) == 0;
}

}  // namespace

Supplier::Supplier(storage::Store& store, const LogSigner& signer, PoolId pool, const Options& options,
                   Window& link_window, Pacer& copy_pacer, ReplicationCounters& counters)
    : store_(store),
      signer_(signer),
      pool_(std::move(pool)),
      options_(options),
      copy_pacer_(copy_pacer),
      counters_(counters),
      window_(options.pool_window_bytes, &link_window) {}

void Supplier::OnOpen(const pb::Open& open, const Terms& terms, Instant now) {
  Reset();
  standing_ = terms.standing;
  stream_ = open.stream();
  consumer_ = terms.consumer;
  opened_.Clear();
  opened_.set_nonce(open.nonce());
  if (open.has_head()) *opened_.mutable_head() = open.head();
  pb::Outcome outcome;

  const auto snapshot = store_.MakeSnapshot();
  const auto head = snapshot->Head(pool_);
  const auto history = snapshot->History(pool_);
  const auto erased_through = store_.LogErasedThrough(pool_);
  if (!head || (*head && !history) || !erased_through) {
    outcome.set_refused(pb::BUSY);
    return Answer(std::move(outcome), State::kIdle);
  }
  SupplierView view;
  view.head = *head;
  if (*head) {
    head_ = **head;
    owns_epoch_ =
        head_.epoch().region() == store_.region().value() && head_.epoch().incarnation() == store_.incarnation();
    view.history = *history;
  }
  view.member = terms.member;
  view.supplies = terms.supplies;
  view.hint = terms.hint;
  view.erased_through = *erased_through;
  bool reads = true;
  view.digest_at = [&](std::uint64_t sequence) -> std::optional<Bytes> {
    auto digest = store_.DigestAt(pool_, sequence);
    reads = reads && digest;
    return digest ? *std::move(digest) : std::nullopt;
  };

  const OpenDecision decision = DecideOpen(open, view);
  // What cannot be compared may be equal: it need not be copied, nor set aside.
  if (!reads) {
    outcome.set_refused(pb::BUSY);
    return Answer(std::move(outcome), State::kIdle);
  }
  if (const auto* refused = std::get_if<Refused>(&decision)) {
    outcome.set_refused(refused->reason);
    if (terms.member != nullptr) outcome.set_member_number(terms.member->number());
  } else if (const auto* not_primary = std::get_if<NotPrimary>(&decision)) {
    outcome.set_not_primary(not_primary->hint.value());
  } else if (const auto* behind = std::get_if<Behind>(&decision)) {
    *outcome.mutable_behind() = behind->epoch;
  } else if (const auto* diverged = std::get_if<Diverged>(&decision)) {
    acknowledged_.reset();
    outcome.set_diverged(diverged->fork);
  } else if (const auto* follow = std::get_if<Follow>(&decision)) {
    copy_.reset();
    acknowledged_ = open.head();
    next_sequence_ = follow->from;
    // The first one soon: it is the consumer's proof of what it has.
    signed_sequence_ = 0;
    sign_at_ = now.since_boot;
    outcome.set_follow(follow->from);
    return Answer(std::move(outcome), State::kFollowing);
  } else {
    acknowledged_.reset();
    if (open.has_head()) acknowledged_ = open.head();
    return AnswerCopy(open, terms.may_copy, now);
  }
  Answer(std::move(outcome), State::kIdle);
}

void Supplier::AnswerCopy(const pb::Open& open, bool may_copy, Instant now) {
  pb::Outcome outcome;
  const bool goes_on = copy_ != nullptr && open.has_staging_head() && SameHead(open.staging_head(), copy_->head());
  if (!goes_on) {
    if (copy_ == nullptr && !may_copy) {
      outcome.set_refused(pb::BUSY);
      return Answer(std::move(outcome), State::kIdle);
    }
    copy_.reset();
    auto source = store_.OpenCopy(pool_);
    if (!source) {
      log::Warning("replication: pool {}: no copy: {}", pool_.value(), source.error().detail);
      outcome.set_refused(pb::BUSY);
      return Answer(std::move(outcome), State::kIdle);
    }
    copy_ = *std::move(source);
    ++counters_.copies_begun;
  }
  // After a restart here the new snapshot may stand where the old one did, and is equal to it.
  const bool resumes = open.has_staging_head() && SameHead(open.staging_head(), copy_->head());
  if (resumes) ++counters_.copies_resumed;
  copy_cursor_ = resumes ? open.staging_cursor() : Bytes();
  const std::uint64_t taken = open.copy_window_bytes() == 0 ? kCopyWindowUntoldBytes : open.copy_window_bytes();
  takes_packed_records_ = open.takes_packed_records();
  copy_window_.emplace(std::min<std::uint64_t>(taken, options_.copy_window_bytes));
  copy_meter_.Begin(resumes ? open.staging_records() : 0, resumes ? open.staging_bytes() : 0, copy_->record_count(),
                    copy_->size_bytes(), now.since_boot);
  copy_progress_at_ = now.since_boot;
  pb::Outcome::Copy& copy = *outcome.mutable_copy();
  *copy.mutable_head() = copy_->head();
  *copy.mutable_history() = copy_->history();
  copy.set_record_count(copy_->record_count());
  copy.set_size_bytes(copy_->size_bytes());
  copy.set_resumes(resumes);
  Answer(std::move(outcome), State::kCopying);
}

void Supplier::Answer(pb::Outcome outcome, State next_state) {
  outcome.set_pool(pool_.value());
  outcome.set_stream(stream_);
  *outcome.mutable_standing() = standing_;
  if (signs()) outcome.set_signature(signer_.Sign(OutcomeStatement(store_.region(), consumer_, opened_, outcome)));
  answer_.emplace();
  *answer_->mutable_outcome() = std::move(outcome);
  state_ = State::kAnswering;
  state_after_answer_ = next_state;
}

void Supplier::Finish(pb::EndReason reason) {
  if (state_ == State::kIdle) return;
  Reset();
  ++counters_.streams_ended;
  answer_.emplace();
  pb::End& end = *answer_->mutable_end();
  end.set_pool(pool_.value());
  end.set_stream(stream_);
  end.set_reason(reason);
  state_ = State::kEnding;
  state_after_answer_ = State::kIdle;
}

void Supplier::Reset() {
  state_ = State::kIdle;
  answer_.reset();
  sent_.clear();
  window_.Clear();
  copy_window_.reset();
  signature_due_ = false;
}

void Supplier::OnAck(const pb::Ack& ack, Instant now) {
  if (ack.stream() != stream_) return;
  if (state_ == State::kFlipping) {
    if (!SameHead(ack.head(), copy_->head())) return Finish(pb::PROTOCOL);
    next_sequence_ = copy_->head().sequence() + 1;
    copy_.reset();
    ++counters_.copies_served;
    acknowledged_ = ack.head();
    sent_.clear();
    copy_window_.reset();
    signed_sequence_ = 0;
    sign_at_ = now.since_boot;
    state_ = State::kFollowing;
    return;
  }
  if (state_ != State::kFollowing) return;
  const std::uint64_t sequence = ack.head().sequence();
  if (sequence >= next_sequence_ || sequence < acknowledged_->sequence()) return Finish(pb::PROTOCOL);
  acknowledged_ = ack.head();
  while (!sent_.empty() && sent_.front().last_sequence <= sequence) {
    window_.Give(sent_.front().size_bytes);
    sent_.pop_front();
  }
}

void Supplier::OnCopyAck(const pb::CopyAck& ack, Instant now) {
  if (ack.stream() != stream_ || (state_ != State::kCopying && state_ != State::kFlipping)) return;
  const auto known = std::ranges::find(sent_, ack.cursor(), &Sent::cursor);
  if (known == sent_.end()) return Finish(pb::PROTOCOL);
  const auto end = std::next(known);
  for (auto piece = sent_.begin(); piece != end; ++piece) {
    copy_window_->Give(piece->size_bytes);
    copy_meter_.Add(piece->records, piece->record_bytes);
  }
  sent_.erase(sent_.begin(), end);
  copy_progress_at_ = now.since_boot;
}

void Supplier::OnEnd(const pb::End& end) {
  if (end.stream() != stream_) return;
  if (state_ != State::kIdle) ++counters_.streams_ended;
  Reset();
}

void Supplier::OnDisconnected() { Reset(); }

void Supplier::OnTick(Instant now) {
  if (state_ == State::kFollowing && signs() && owns_epoch_ && now.since_boot >= sign_at_ &&
      next_sequence_ - 1 > signed_sequence_) {
    signature_due_ = true;
  }
  if (copy_ == nullptr || now.since_boot - copy_progress_at_ < options_.copy_pin_limit) return;
  log::Warning("replication: pool {}: a copy made no progress and is given up", pool_.value());
  ++counters_.copies_failed;
  copy_.reset();
  Finish(pb::TRIMMED);
}

void Supplier::OnTrimmed(std::uint64_t first_kept) {
  if (copy_ == nullptr || first_kept <= copy_->head().sequence() + 1) return;
  log::Warning("replication: pool {}: a copy took longer than the log is kept and begins again", pool_.value());
  ++counters_.copies_failed;
  copy_.reset();
  Finish(pb::TRIMMED);
}

void Supplier::OnRoleLost() {
  copy_.reset();
  acknowledged_.reset();
  Finish(pb::ROLE);
}

std::optional<std::uint64_t> Supplier::needed_from() const {
  if (copy_ != nullptr) return copy_->head().sequence() + 1;
  if (acknowledged_) return acknowledged_->sequence() + 1;
  return std::nullopt;
}

std::optional<pb::Frame> Supplier::Next(Instant now) {
  if (answer_) {
    std::optional<pb::Frame> frame = std::move(answer_);
    answer_.reset();
    state_ = state_after_answer_;
    return frame;
  }
  switch (state_) {
    case State::kFollowing:
      if (window_.open()) {
        if (auto frame = NextBatch(now)) return frame;
      }
      return signature_due_ && state_ == State::kFollowing ? NextSignature(now) : std::nullopt;
    case State::kCopying:
      return copy_window_->open() && copy_pacer_.Open(now.since_boot) ? NextPiece(now) : std::nullopt;
    case State::kIdle:
    case State::kAnswering:
    case State::kFlipping:
    case State::kEnding:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<pb::Frame> Supplier::NextBatch(Instant now) {
  if (next_sequence_ > head_.sequence()) return std::nullopt;
  auto entries = store_.ReadLogAsStored(pool_, next_sequence_, options_.frame_limit_bytes);
  if (!entries) {
    Finish(entries.error().code == storage::StoreErrorCode::kGap ? pb::TRIMMED : pb::STORE);
    return Next(now);
  }
  if (entries->empty()) return std::nullopt;
  const std::optional<storage::pb::LogEntry> changes_roles = EndWithChangeOfRoles(*entries);
  pb::Frame frame;
  pb::Batch& batch = *frame.mutable_batch();
  batch.set_pool(pool_.value());
  batch.set_stream(stream_);
  batch.set_now_micros(ToMicros(now.wall));
  *batch.mutable_head() = head_;
  next_sequence_ += entries->size();
  for (Bytes& entry : *entries) batch.add_entries(std::move(entry));
  if (changes_roles) {
    signed_sequence_ = changes_roles->sequence();
    sign_at_ = now.since_boot + options_.sign_interval;
    *batch.mutable_signed_head() =
        SignHead(signer_, pool_, head_.epoch(), signed_sequence_, storage::EntryDigest(*changes_roles));
  }
  counters_.entries_sent += static_cast<std::uint64_t>(batch.entries_size());
  Sent sent{.last_sequence = next_sequence_ - 1, .size_bytes = batch.ByteSizeLong()};
  window_.Take(sent.size_bytes);
  sent_.push_back(std::move(sent));
  return frame;
}

std::optional<storage::pb::LogEntry> Supplier::EndWithChangeOfRoles(std::vector<Bytes>& entries) const {
  if (!signs() || !owns_epoch_) return std::nullopt;
  storage::pb::LogEntry entry;
  const auto found = std::ranges::find_if(
      entries, [&](const Bytes& stored) { return entry.ParseFromString(stored) && ChangesRoles(entry); });
  if (found == entries.end()) return std::nullopt;
  entries.erase(std::next(found), entries.end());
  return entry;
}

// Behind the entries, not with them: they are on their way, and being made durable, while this is computed.
std::optional<pb::Frame> Supplier::NextSignature(Instant now) {
  signature_due_ = false;
  sign_at_ = now.since_boot + options_.sign_interval;
  const std::uint64_t sequence = next_sequence_ - 1;
  auto digest = store_.DigestAt(pool_, sequence);
  // Trimmed, or the store fails: the next one will do.
  if (!digest || !*digest) return std::nullopt;
  signed_sequence_ = sequence;
  pb::Frame frame;
  pb::Batch& batch = *frame.mutable_batch();
  batch.set_pool(pool_.value());
  batch.set_stream(stream_);
  batch.set_now_micros(ToMicros(now.wall));
  *batch.mutable_head() = head_;
  *batch.mutable_signed_head() = SignHead(signer_, pool_, head_.epoch(), sequence, **std::move(digest));
  return frame;
}

std::optional<pb::Frame> Supplier::NextPiece(Instant now) {
  auto records = copy_->NextPacked(copy_cursor_, copy_pacer_.portion_bytes(options_.frame_limit_bytes));
  if (!records) {
    log::Warning("replication: pool {}: the copy cannot be read: {}", pool_.value(), records.error().detail);
    ++counters_.copies_failed;
    copy_.reset();
    Finish(pb::STORE);
    return Next(now);
  }
  pb::Frame frame;
  pb::CopyPiece& piece = *frame.mutable_copy_piece();
  piece.set_pool(pool_.value());
  piece.set_stream(stream_);
  if (records->empty()) {
    piece.set_last(true);
    if (signs()) piece.set_signature(signer_.Sign(PieceStatement(copy_->head(), copy_cursor_, piece)));
    state_ = State::kFlipping;
    return frame;
  }
  const Bytes after = std::exchange(copy_cursor_, Bytes(records->last_id()));
  Sent sent{.cursor = copy_cursor_, .records = records->count(), .record_bytes = records->size_bytes()};
  if (takes_packed_records_) {
    piece.set_packed_records(std::move(*records).TakeOctets());
    if (signs()) piece.set_signature(signer_.Sign(PieceStatement(copy_->head(), after, piece)));
  } else {
    for (const storage::RecordView& record : *records) {
      pb::CopyRecord& out = *piece.add_records();
      out.set_key(Bytes(record.id));
      out.set_value(Bytes(record.value));
    }
  }
  sent.size_bytes = sent.record_bytes + (sent.records + 1) * kOverheadBytes;
  copy_window_->Take(sent.size_bytes);
  copy_pacer_.Take(sent.size_bytes);
  sent_.push_back(std::move(sent));
  return frame;
}

std::optional<std::chrono::microseconds> Supplier::LagTime(const storage::pb::Head& head, const HeadTimes& times,
                                                           Instant now) {
  if (!acknowledged_) return std::nullopt;
  const std::uint64_t oldest = acknowledged_->sequence() + 1;
  if (oldest > head.sequence()) return std::chrono::microseconds(0);
  if (!oldest_pending_ || oldest_pending_->sequence != oldest) {
    std::optional<std::chrono::nanoseconds> since = times.SeenAt(oldest);
    if (!since) {
      const auto entries = store_.ReadLog(pool_, oldest, 1);
      // Trimmed: the replica needs a copy, and the age of what it lacks is known only if it was asked for before.
      if (!entries || entries->empty()) return std::nullopt;
      since = times.MadeAt(FromMicros(entries->front().commit_time_micros()));
    }
    oldest_pending_ = OldestPending{oldest, *since};
  }
  return std::chrono::floor<std::chrono::microseconds>(now.since_boot - oldest_pending_->since);
}

}  // namespace symbolon::replication
