// What the supplier has to sign, and what is made of it.
#include <utility>

#include "base/log.h"
#include "replication/consumer.h"
#include "replication/roles.h"
#include "storage/log.h"

namespace symbolon::replication {

void Consumer::SetSupplier(Region region, Bytes log_key) {
  supplier_ = std::move(region);
  log_key_ = std::move(log_key);
}

bool Consumer::IsProven(const pb::Outcome& outcome) const {
  const bool binds = outcome.has_follow() || outcome.has_diverged() || outcome.has_copy() ||
                     (outcome.has_refused() && outcome.refused() == pb::BEING_DELETED);
  if (log_key_.empty() || !binds) return true;
  return signer_.Verify(log_key_, OutcomeStatement(supplier_, store_.region(), opened_, outcome), outcome.signature());
}

// Whoever writes an epoch has all of it. That a Region came out of a backup is told by another epoch.
bool Consumer::IsRolledBack(const pb::Outcome& outcome) const {
  return !log_key_.empty() && !recovers_for_ && opened_.has_head() &&
         storage::SameEpoch(opened_.head().epoch(), outcome.standing().epoch());
}

bool Consumer::IsProven(const pb::CopyPiece& piece) const {
  if (log_key_.empty()) return true;
  // The signature is over the packed records only.
  return piece.records().empty() &&
         signer_.Verify(log_key_, PieceStatement(copy_head_, piece_after_, piece), piece.signature());
}

bool Consumer::TakeSignature(const pb::Batch& batch) {
  if (log_key_.empty() || !batch.has_signed_head()) return true;
  const pb::SignedHead& head = batch.signed_head();
  if (head.epoch().region() != supplier_.value() || !VerifyHead(signer_, log_key_, pool_, head)) return false;
  // One is enough until its entries are here.
  if (!signed_ahead_) signed_ahead_ = head;
  return true;
}

bool Consumer::RolesAreSigned(const pb::Batch& batch) const {
  if (log_key_.empty() || recovers_for_) return true;
  storage::pb::LogEntry entry;
  for (int i = 0; i < batch.entries_size(); ++i) {
    // What is no entry the store refuses.
    if (!entry.ParseFromString(batch.entries(i)) || !ChangesRoles(entry)) continue;
    return i == batch.entries_size() - 1 && entry.sequence() == batch.signed_head().sequence() &&
           entry.previous_digest().size() == storage::kDigestBytes &&
           storage::EntryDigest(entry) == batch.signed_head().digest();
  }
  return true;
}

void Consumer::SetConfirmed(std::uint64_t sequence, Instant now) {
  confirmed_sequence_ = sequence;
  unconfirmed_since_ = now.since_boot;
}

void Consumer::OnApplied(const storage::pb::Head& head, Instant now) {
  if (applied_.sequence() == confirmed_sequence_) unconfirmed_since_ = now.since_boot;
  applied_ = head;
}

bool Consumer::CheckSignature(Instant now) {
  if (!signed_ahead_ || signed_ahead_->sequence() > applied_.sequence()) return true;
  const pb::SignedHead head = *std::exchange(signed_ahead_, std::nullopt);
  if (head.sequence() < confirmed_sequence_) return true;
  std::optional<Bytes> here = applied_.digest();
  if (head.sequence() < applied_.sequence()) {
    auto stored = store_.DigestAt(pool_, head.sequence());
    // The next one will do.
    if (!stored || !*stored) return true;
    here = **std::move(stored);
  }
  if (*here != head.digest()) return false;
  SetConfirmed(head.sequence(), now);
  proven_ = head;
  return true;
}

bool Consumer::SignatureOverdue(Instant now) const {
  return state_ == State::kFollowing && !log_key_.empty() && !recovers_for_ &&
         applied_.sequence() > confirmed_sequence_ && now.since_boot - unconfirmed_since_ >= options_.unsigned_limit;
}

std::optional<std::uint64_t> Consumer::signed_sequence() const {
  if (log_key_.empty() || state_ != State::kFollowing) return std::nullopt;
  return confirmed_sequence_;
}

void Consumer::Refuse(Step& step, Problem problem, std::string_view why, Instant now) {
  ++counters_.signatures_refused;
  unproven_ = unproven_ || problem == Problem::kUnproven;
  log::Error("replication: pool {}: {} is not followed: {}", pool_.value(), supplier_.value(), why);
  Leave(step, pb::UNPROVEN, problem, now);
}

}  // namespace symbolon::replication
