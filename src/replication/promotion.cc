#include "replication/promotion.h"

#include <algorithm>
#include <compare>
#include <string_view>
#include <tuple>
#include <utility>

namespace symbolon::replication {
namespace {

storage::pb::Position PositionOf(const storage::pb::Head& head) {
  storage::pb::Position position;
  *position.mutable_epoch() = head.epoch();
  position.set_sequence(head.sequence());
  return position;
}

bool Longer(const storage::pb::Head& a, const storage::pb::Head& b) {
  return storage::ComparePositions(PositionOf(a), PositionOf(b)) > 0;
}

}  // namespace

// ---- Handover ----

Handover::Handover(Region to, const Options& options, Instant now)
    : to_(std::move(to)), options_(options), deadline_(now.since_boot + options.catch_up_limit) {}

Handover::Step Handover::Next(const View& view, Instant now) {
  if (phase_ == Phase::kCommitting || phase_ == Phase::kCommitted) return Step::kWait;
  lost_ = !view.following;
  if (lost_ || now.since_boot >= deadline_) return Step::kAbort;
  const std::uint64_t lag = view.head - std::min(view.head, view.acknowledged.value_or(0));
  if (phase_ == Phase::kCatchingUp) {
    const bool is_near =
        lag <= options_.drain_entries_max || (view.lag_time && *view.lag_time <= options_.drain_lag_max);
    if (!is_near) return Step::kWait;
    phase_ = Phase::kDraining;
    deadline_ = now.since_boot + options_.drain_limit;
    return Step::kShutGate;
  }
  if (lag > 0) return Step::kWait;
  phase_ = Phase::kCommitting;
  return Step::kCommit;
}

std::string Handover::why() const {
  if (lost_) return "the replica in " + to_.value() + " does not follow";
  return "the replica in " + to_.value() + " did not catch up in time";
}

// ---- HandedOver ----

HandedOver::HandedOver(pb::NextEpoch next, std::uint64_t first_sequence, const Options& options, Instant now)
    : next_(std::move(next)), first_sequence_(first_sequence), deadline_(now.since_boot + options.drain_limit) {}

HandedOver::Outcome HandedOver::Judge(const std::vector<pb::Standing>& known, Instant now) {
  // Stores of before the record named one have any incarnation.
  const auto order = [this](const storage::pb::Epoch& epoch) {
    return std::tuple(epoch.counter(), std::string_view(epoch.region())) <=>
           std::tuple(next_.counter(), std::string_view(next_.region()));
  };
  bool begun = false;
  for (const pb::Standing& standing : known) {
    begun = begun || order(standing.epoch()) == 0;
    const storage::pb::Epoch& highest = Highest(standing);
    if (storage::CompareEpochs(highest, overtaken_by_) > 0) overtaken_by_ = highest;
  }
  if (order(overtaken_by_) > 0) return Outcome::kOvertaken;
  if (begun) return Outcome::kBegun;
  return now.since_boot < deadline_ ? Outcome::kOpen : Outcome::kUnheard;
}

// ---- Takeover ----

Takeover::Takeover(storage::pb::Epoch epoch, std::set<Region> members, const Options& options, Instant now)
    : epoch_(std::move(epoch)),
      members_(std::move(members)),
      options_(options),
      patient_until_(now.since_boot + options.promise_patience),
      ask_until_(now.since_boot + options.promise_limit) {}

bool Takeover::TakeTurnToAsk(const Region& member, std::uint64_t link) {
  if (phase_ != Phase::kAsking || !members_.contains(member) || answers_.contains(member)) return false;
  const auto [asked, first] = asked_.try_emplace(member, link);
  return first || std::exchange(asked->second, link) != link;
}

bool Takeover::OnAnswer(const Region& member, const pb::PromiseAnswer& answer, bool lacks_its_part) {
  if (!members_.contains(member) || storage::CompareEpochs(answer.epoch(), epoch_) != 0) return true;
  if (!answer.granted() && answer.has_standing()) {
    refused_by_ = HighestCounter(answer.standing());
    return false;
  }
  Answer& taken = answers_[member];
  if (answer.has_head()) taken.head = answer.head();
  taken.lacks_its_part = lacks_its_part;
  return true;
}

void Takeover::Proceed(const storage::pb::Head& head, const Reachable& reachable, Instant now) {
  if (phase_ == Phase::kAsking) {
    bool awaited = false;
    for (const Region& member : members_) {
      if (answers_.contains(member)) continue;
      awaited = awaited || reachable.contains(member) || now.since_boot < patient_until_;
    }
    if (!awaited || now.since_boot >= ask_until_) Choose(head, now);
  }
  if (phase_ != Phase::kFetching) return;
  if (!Longer(wanted_, head)) {
    phase_ = Phase::kStarting;
    return;
  }
  if (head.sequence() != fetched_) {
    fetched_ = head.sequence();
    fetch_until_ = now.since_boot + options_.fetch_limit;
  }
  if (reachable.contains(source_) && now.since_boot < fetch_until_) return;
  // It is lost, and its entries with it, unless it comes back in time: as if it had not answered.
  lost_.insert_or_assign(source_, *std::exchange(answers_[source_].head, std::nullopt));
  Choose(head, now);
}

void Takeover::Choose(const storage::pb::Head& head, Instant now) {
  phase_ = Phase::kStarting;
  wanted_ = head;
  for (const auto& [region, answer] : answers_) {
    if (!answer.head || !Longer(*answer.head, wanted_)) continue;
    phase_ = Phase::kFetching;
    wanted_ = *answer.head;
    source_ = region;
  }
  fetched_ = head.sequence();
  fetch_until_ = now.since_boot + options_.fetch_limit;
}

std::vector<Region> Takeover::silent() const {
  std::vector<Region> silent;
  for (const Region& member : members_) {
    const auto answer = answers_.find(member);
    const auto lost = lost_.find(member);
    const bool takes_entries_along = lost != lost_.end() && Longer(lost->second, wanted_);
    if (answer == answers_.end() || takes_entries_along) silent.push_back(member);
  }
  return silent;
}

std::size_t Takeover::CountWithoutPart() const {
  const std::vector<Region> all_silent = silent();
  const auto others = std::ranges::count_if(answers_, [&](const auto& answer) {
    return answer.second.lacks_its_part && std::ranges::find(all_silent, answer.first) == all_silent.end();
  });
  return all_silent.size() + static_cast<std::size_t>(others);
}

}  // namespace symbolon::replication
