#include "replication/fact_exchange.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

// Of more logs nothing is kept apart: then the supplier is not listened to at all, until it is asked again.
constexpr std::size_t kLogsLeftOutMax = 64;

// It says that facts were forgotten.
bool LeavesGap(const storage::pb::FactEntry& entry) { return entry.key().empty() || entry.forgotten_before() > 0; }

// The store has no log by another name; nor is one remembered here.
bool IsNamed(const storage::pb::FactEntry& entry) {
  return entry.region().size() <= storage::kNameBytesMax && entry.incarnation().size() <= storage::kNameBytesMax;
}

// How far `peer` has to have this component from here: all of it, but of its own facts only those that were here when
// it began, which it may have lost; the later ones came from it.
std::uint64_t Wanted(const storage::pb::FactProgress& progress, const FactsTold& told, const Region& peer) {
  if (progress.region() != peer.value()) return progress.number();
  return std::min(progress.number(), storage::ProgressOf(told.at_begin, progress.region(), progress.incarnation()));
}

}  // namespace

std::uint64_t UnacknowledgedFacts(const storage::pb::FactVector& facts, const FactsTold& told, const Region& peer) {
  std::uint64_t count = 0;
  for (const storage::pb::FactProgress& progress : facts.progress()) {
    const std::uint64_t wanted = Wanted(progress, told, peer);
    count +=
        wanted - std::min(wanted, storage::ProgressOf(told.acknowledged, progress.region(), progress.incarnation()));
  }
  return count;
}

// ---- FactSupplier ----

FactSupplier::FactSupplier(storage::Store& store, const LogSigner& signer, PoolId pool, Region peer,
                           const Options& options, Window& link_window, ReplicationCounters& counters)
    : store_(store),
      signer_(signer),
      pool_(std::move(pool)),
      peer_(std::move(peer)),
      options_(options),
      counters_(counters),
      window_(options.pool_window_bytes, &link_window) {}

void FactSupplier::OnHave(const pb::FactsHave& have) {
  told_.acknowledged = have.vector();
  takes_proofs_ = have.takes_proofs();
  std::erase_if(sent_, [&](const Sent& sent) {
    const bool over =
        have.again() || storage::ProgressOf(told_.acknowledged, sent.region, sent.incarnation) >= sent.last_number;
    if (over) window_.Give(sent.size_bytes);
    return over;
  });
  if (!have.again()) return;
  auto own = store_.MakeSnapshot()->Facts(pool_);
  begins_ = !own;
  if (own) told_.at_begin = *std::move(own);
}

bool FactSupplier::PeerHas(const storage::pb::FactVector& facts) const {
  return !begins_ && UnacknowledgedFacts(facts, told_, peer_) == 0;
}

std::uint64_t FactSupplier::Known(const storage::pb::FactProgress& progress) const {
  std::uint64_t known = storage::ProgressOf(told_.acknowledged, progress.region(), progress.incarnation());
  for (const Sent& sent : sent_) {
    if (sent.region == progress.region() && sent.incarnation == progress.incarnation()) {
      known = std::max(known, sent.last_number);
    }
  }
  return known;
}

void FactSupplier::Prepare(std::vector<storage::pb::FactEntry>& entries, const NeedsProof& needs_proof) const {
  if (!takes_proofs_) {
    for (storage::pb::FactEntry& entry : entries) {
      if (entry.kept_until_micros() > entry.value().expires_at_micros()) {
        entry.mutable_value()->set_expires_at_micros(entry.kept_until_micros());
      }
      entry.clear_proof();
      entry.clear_kept_until_micros();
    }
    return;
  }
  ProveFacts(signer_, pool_, store_.region(), entries);
  // What came through a Region that passes on no proofs, only the one who said it can prove.
  const auto unproven = std::ranges::find_if(
      entries, [&](const auto& entry) { return !entry.has_proof() && !entry.key().empty() && needs_proof(entry); });
  entries.erase(unproven, entries.end());
}

std::optional<pb::Frame> FactSupplier::Next(const NeedsProof& needs_proof) {
  if (!window_.open()) return std::nullopt;
  const auto own = store_.MakeSnapshot()->Facts(pool_);
  failed_ = !own;
  if (!own) return std::nullopt;
  if (std::exchange(begins_, false)) told_.at_begin = *own;
  const auto log_of = [](const storage::pb::FactProgress& progress) {
    return std::pair<Bytes, Bytes>(progress.region(), progress.incarnation());
  };
  std::vector<const storage::pb::FactProgress*> turns;
  for (const storage::pb::FactProgress& progress : own->progress()) {
    if (Known(progress) < Wanted(progress, told_, peer_)) turns.push_back(&progress);
  }
  std::ranges::rotate(turns, std::ranges::find_if(turns, [&](const auto* log) { return log_of(*log) > last_turn_; }));
  for (const storage::pb::FactProgress* turn : turns) {
    const storage::pb::FactProgress& progress = *turn;
    const std::uint64_t known = Known(progress);
    auto entries = store_.ReadFacts(pool_, Region(progress.region()), progress.incarnation(), known + 1,
                                    options_.frame_limit_bytes);
    if (!entries) {
      log::Warning("replication: pool {}: facts of {} cannot be read: {}", pool_.value(), progress.region(),
                   entries.error().detail);
      failed_ = true;
      continue;
    }
    Prepare(*entries, needs_proof);
    if (entries->empty()) continue;
    pb::Frame frame;
    pb::Facts& facts = *frame.mutable_facts();
    facts.set_pool(pool_.value());
    std::int64_t forgotten_until_micros = 0;
    for (storage::pb::FactEntry& entry : *entries) {
      forgotten_until_micros = std::max(forgotten_until_micros, entry.forgotten_until_micros());
      entry.clear_forgotten_until_micros();
      *facts.add_entries() = std::move(entry);
    }
    if (forgotten_until_micros > 0) {
      *facts.mutable_forgotten() = SignForgotten(signer_, pool_, store_.region(), forgotten_until_micros);
    }
    counters_.facts_sent += static_cast<std::uint64_t>(facts.entries_size());
    Sent sent{progress.region(), progress.incarnation(), facts.entries().rbegin()->number(), facts.ByteSizeLong()};
    window_.Take(sent.size_bytes);
    sent_.push_back(std::move(sent));
    last_turn_ = log_of(progress);
    return frame;
  }
  return std::nullopt;
}

// ---- FactConsumer ----

FactConsumer::FactConsumer(storage::Store& store, const LogSigner& signer, PoolId pool, Region supplier,
                           const Options& options, ReplicationCounters& counters)
    : store_(store),
      pool_(std::move(pool)),
      supplier_(std::move(supplier)),
      options_(options),
      counters_(counters),
      verifier_(signer) {}

FactConsumer::Step FactConsumer::Start() {
  Step step{.frame = Have(true)};
  if (!step.frame) ask_again_at_ = std::chrono::nanoseconds(0);
  return step;
}

std::optional<pb::Frame> FactConsumer::Have(bool again) {
  auto vector = store_.MakeSnapshot()->Facts(pool_);
  if (!vector) return std::nullopt;
  pb::Frame frame;
  pb::FactsHave& have = *frame.mutable_facts_have();
  have.set_pool(pool_.value());
  *have.mutable_vector() = *std::move(vector);
  have.set_again(again);
  have.set_takes_proofs(true);
  told_less_ = false;
  if (again) ask_for_left_out_at_.reset();
  for (auto& [log, goes_on_behind] : left_out_) {
    if (again || goes_on_behind) goes_on_behind = storage::ProgressOf(have.vector(), log.first, log.second);
  }
  return frame;
}

FactConsumer::Standing FactConsumer::StandingOf(const storage::pb::FactEntry& entry, const FactOrigin& origin) {
  if (origin.log_keys.empty()) return origin.key_may_come ? Standing::kLeft : Standing::kTaken;
  // That nothing is left of some facts nobody can prove.
  if (origin.asked_itself && LeavesGap(entry)) return Standing::kLeft;
  if (entry.key().empty()) return Standing::kTaken;
  if (!entry.has_proof()) {
    const auto unsigned_through = origin.unsigned_through.find(entry.incarnation());
    // The Region itself proves what it said before it signed, too.
    if (entry.region() != supplier_.value() && unsigned_through != origin.unsigned_through.end() &&
        entry.number() <= unsigned_through->second) {
      return origin.asked_itself ? Standing::kLeft : Standing::kTaken;
    }
    if (origin.proofs_lost || (origin.asked_itself && !origin.pinned)) return Standing::kLeft;
    return Standing::kRefused;
  }
  return verifier_.IsProven(pool_, entry, origin.log_keys) ? Standing::kTaken : Standing::kRefused;
}

// What was under way when the supplier was asked again does not go on where it is to.
bool FactConsumer::IsLeftOut(const storage::pb::FactEntry& entry) {
  const auto log = left_out_.find({entry.region(), entry.incarnation()});
  if (log == left_out_.end()) return false;
  if (!log->second || entry.number() - entry.forgotten_before() > *log->second + 1) return true;
  left_out_.erase(log);
  return false;
}

void FactConsumer::LeaveOut(const std::pair<Bytes, Bytes>& log, Instant now) {
  left_out_[log].reset();
  if (!ask_for_left_out_at_) ask_for_left_out_at_ = now.since_boot + options_.unsigned_limit;
  if (left_out_.size() > kLogsLeftOutMax) {
    left_out_.clear();
    ask_again_at_ = now.since_boot + options_.unsigned_limit;
  }
}

void FactConsumer::LeaveOut(const storage::pb::FactEntry& entry, Standing why, Instant now) {
  LeaveOut({entry.region(), entry.incarnation()}, now);
  if (why != Standing::kRefused) return;
  ++counters_.signatures_refused;
  log::Error("replication: pool {}: {} sent fact {} in the name of {}, which has not signed it: refused", pool_.value(),
             supplier_.value(), entry.number(), entry.region());
}

// Nobody else can make this Region refuse tokens so. Without a word of it facts are taken all the same: a release
// before does not tell.
bool FactConsumer::MayLeaveGaps(const pb::Facts& facts, const OriginOf& origin_of) {
  if (!facts.has_forgotten()) return true;
  const pb::ForgottenFacts& forgotten = facts.forgotten();
  const FactOrigin supplier = origin_of(supplier_);
  if (supplier.log_keys.empty() || verifier_.IsProven(pool_, supplier_, forgotten, supplier.log_keys)) return true;
  ++counters_.signatures_refused;
  log::Error("replication: pool {}: {} has not signed what it sent of how far it has forgotten facts: refused",
             pool_.value(), supplier_.value());
  return false;
}

FactConsumer::Step FactConsumer::OnFacts(pb::Facts facts, const OriginOf& origin_of, Instant now) {
  Step step;
  if (ask_again_at_) return step;
  // Against the window; what is dropped here makes a gap, and the gap asks again.
  if (queued_bytes_ > 2 * options_.pool_window_bytes) return step;
  std::optional<bool> may_leave_gaps;
  std::optional<std::pair<Bytes, FactOrigin>> known;
  for (storage::pb::FactEntry& entry : *facts.mutable_entries()) {
    if (ask_again_at_) break;
    if (!IsNamed(entry) || IsLeftOut(entry)) continue;
    if (!known || known->first != entry.region()) known.emplace(entry.region(), origin_of(Region(entry.region())));
    if (const Standing standing = StandingOf(entry, known->second); standing != Standing::kTaken) {
      LeaveOut(entry, standing, now);
      continue;
    }
    entry.clear_forgotten_until_micros();
    if (LeavesGap(entry)) {
      if (!may_leave_gaps) may_leave_gaps = MayLeaveGaps(facts, origin_of);
      if (!*may_leave_gaps) {
        LeaveOut(entry, Standing::kLeft, now);
        continue;
      }
      entry.set_forgotten_until_micros(facts.forgotten().until_micros());
    }
    // What could not be checked is not passed on as proved.
    if (known->second.log_keys.empty()) entry.clear_proof();
    queued_bytes_ += entry.ByteSizeLong();
    queue_.push_back(std::move(entry));
  }
  Proceed(step);
  return step;
}

void FactConsumer::Proceed(Step& step) {
  if (merging_ || queue_.empty()) return;
  std::size_t taken_bytes = 0;
  std::vector<storage::pb::FactEntry> entries;
  while (!queue_.empty() && (entries.empty() || taken_bytes < options_.apply_limit_bytes)) {
    const storage::pb::FactEntry& entry = queue_.front();
    taken_bytes += entry.ByteSizeLong();
    merging_logs_[{entry.region(), entry.incarnation()}].push_back(
        {entry.number(), entry.forgotten_before(), entry.has_proof()});
    entries.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= taken_bytes;
  merging_ = true;
  step.merge = std::move(entries);
}

// The store has merged what it could of the logs that it did not refuse.
bool FactConsumer::LeaveOutRefused(const storage::StoreError& error, Instant now) {
  log::Warning("replication: pool {}: facts from {} not merged: {}", pool_.value(), supplier_.value(), error.detail);
  const bool of_a_log = error.code == storage::StoreErrorCode::kGap || error.code == storage::StoreErrorCode::kCorrupt;
  const auto here = store_.MakeSnapshot()->Facts(pool_);
  if (!of_a_log || !here) return false;
  for (const auto& [log, entries] : merging_logs_) {
    const std::uint64_t known = storage::ProgressOf(*here, log.first, log.second);
    const auto refused = std::ranges::find_if(entries, [&](const Merging& entry) { return entry.number > known; });
    if (refused == entries.end()) continue;
    // It continues what is here, so it is refused for its name.
    if (log.first == store_.region().value() && refused->number - refused->forgotten_before <= known + 1) {
      own_facts_ = std::max(own_facts_, refused->proved ? OwnFacts::kProved : OwnFacts::kClaimed);
    }
    Forget(log);
    LeaveOut(log, now);
  }
  return true;
}

void FactConsumer::Forget(const std::pair<Bytes, Bytes>& log) {
  std::erase_if(queue_, [&](const storage::pb::FactEntry& entry) {
    if (entry.region() != log.first || entry.incarnation() != log.second) return false;
    queued_bytes_ -= entry.ByteSizeLong();
    return true;
  });
}

FactConsumer::Step FactConsumer::OnMerged(const storage::StoreResult<void>& result, Instant now) {
  Step step;
  merging_ = false;
  const bool taken = result || LeaveOutRefused(result.error(), now);
  merging_logs_.clear();
  if (!taken) {
    queue_.clear();
    queued_bytes_ = 0;
    ask_again_at_ = now.since_boot + options_.heartbeat_interval;
    return step;
  }
  step.frame = Have(AsksForLeftOut(now));
  if (!step.frame) told_less_ = true;
  Proceed(step);
  return step;
}

FactConsumer::Step FactConsumer::OnTick(Instant now) {
  Step step;
  const bool due = ask_again_at_ ? now.since_boot >= *ask_again_at_ : AsksForLeftOut(now);
  if (merging_) return step;
  if (due) {
    step.frame = Have(true);
    if (step.frame) ask_again_at_.reset();
  } else if (told_less_ && !ask_again_at_ && now.since_boot >= tell_at_) {
    tell_at_ = now.since_boot + options_.heartbeat_interval;
    step.frame = Have(false);
  }
  return step;
}

}  // namespace symbolon::replication
