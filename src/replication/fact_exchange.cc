#include "replication/fact_exchange.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::replication {

// ---- FactSupplier ----

FactSupplier::FactSupplier(storage::Store& store, PoolId pool, Region peer, const Options& options, Window& link_window,
                           ReplicationCounters& counters)
    : store_(store),
      pool_(std::move(pool)),
      peer_(std::move(peer)),
      options_(options),
      counters_(counters),
      window_(options.pool_window_bytes, &link_window) {}

void FactSupplier::OnHave(const pb::FactsHave& have) {
  acknowledged_ = have.vector();
  std::erase_if(sent_, [&](const Sent& sent) {
    const bool over =
        have.again() || storage::ProgressOf(acknowledged_, sent.region, sent.incarnation) >= sent.last_number;
    if (over) window_.Give(sent.size_bytes);
    return over;
  });
  if (!have.again()) return;
  auto own = store_.MakeSnapshot()->Facts(pool_);
  if (own) at_begin_ = *std::move(own);
}

std::uint64_t FactSupplier::Wanted(const storage::pb::FactProgress& progress) const {
  if (progress.region() != peer_.value()) return progress.number();
  return storage::ProgressOf(at_begin_, progress.region(), progress.incarnation());
}

bool FactSupplier::PeerHas(const storage::pb::FactVector& facts) const {
  return std::ranges::all_of(facts.progress(), [&](const storage::pb::FactProgress& progress) {
    return storage::ProgressOf(acknowledged_, progress.region(), progress.incarnation()) >=
           std::min(progress.number(), Wanted(progress));
  });
}

std::uint64_t FactSupplier::Known(const storage::pb::FactProgress& progress) const {
  std::uint64_t known = storage::ProgressOf(acknowledged_, progress.region(), progress.incarnation());
  for (const Sent& sent : sent_) {
    if (sent.region == progress.region() && sent.incarnation == progress.incarnation()) {
      known = std::max(known, sent.last_number);
    }
  }
  return known;
}

std::optional<pb::Frame> FactSupplier::Next() {
  if (!window_.open()) return std::nullopt;
  const auto own = store_.MakeSnapshot()->Facts(pool_);
  if (!own) return std::nullopt;
  for (const storage::pb::FactProgress& progress : own->progress()) {
    const std::uint64_t known = Known(progress);
    if (known >= Wanted(progress)) continue;
    auto entries = store_.ReadFacts(pool_, Region(progress.region()), progress.incarnation(), known + 1,
                                    options_.frame_limit_bytes);
    if (!entries) {
      log::Warning("replication: pool {}: facts of {} cannot be read: {}", pool_.value(), progress.region(),
                   entries.error().detail);
      continue;
    }
    if (entries->empty()) continue;
    pb::Frame frame;
    pb::Facts& facts = *frame.mutable_facts();
    facts.set_pool(pool_.value());
    for (storage::pb::FactEntry& entry : *entries) *facts.add_entries() = std::move(entry);
    counters_.facts_sent += static_cast<std::uint64_t>(facts.entries_size());
    Sent sent{progress.region(), progress.incarnation(), facts.entries().rbegin()->number(), facts.ByteSizeLong()};
    window_.Take(sent.size_bytes);
    sent_.push_back(std::move(sent));
    return frame;
  }
  return std::nullopt;
}

// ---- FactConsumer ----

FactConsumer::FactConsumer(storage::Store& store, PoolId pool, const Options& options)
    : store_(store), pool_(std::move(pool)), options_(options) {}

FactConsumer::Step FactConsumer::Start() { return {.frame = Have(true)}; }

std::optional<pb::Frame> FactConsumer::Have(bool again) {
  auto vector = store_.MakeSnapshot()->Facts(pool_);
  if (!vector) return std::nullopt;
  pb::Frame frame;
  pb::FactsHave& have = *frame.mutable_facts_have();
  have.set_pool(pool_.value());
  *have.mutable_vector() = *std::move(vector);
  have.set_again(again);
  return frame;
}

FactConsumer::Step FactConsumer::OnFacts(pb::Facts facts) {
  Step step;
  if (ask_again_at_) return step;
  // Against the window; what is dropped here makes a gap, and the gap asks again.
  if (queued_bytes_ > 2 * options_.pool_window_bytes) return step;
  for (storage::pb::FactEntry& entry : *facts.mutable_entries()) {
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
    taken_bytes += queue_.front().ByteSizeLong();
    entries.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= taken_bytes;
  merging_ = true;
  step.merge = std::move(entries);
}

FactConsumer::Step FactConsumer::OnMerged(const storage::StoreResult<void>& result, Instant now) {
  Step step;
  merging_ = false;
  if (!result) {
    log::Warning("replication: pool {}: facts not merged: {}", pool_.value(), result.error().detail);
    queue_.clear();
    queued_bytes_ = 0;
    ask_again_at_ = now.since_boot + options_.heartbeat_interval;
    return step;
  }
  step.frame = Have(false);
  Proceed(step);
  return step;
}

FactConsumer::Step FactConsumer::OnTick(Instant now) {
  Step step;
  if (!ask_again_at_ || merging_ || now.since_boot < *ask_again_at_) return step;
  step.frame = Have(true);
  if (step.frame) ask_again_at_.reset();
  return step;
}

}  // namespace symbolon::replication
