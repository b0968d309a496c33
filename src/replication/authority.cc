#include "replication/authority.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

// What was seen longer ago is no observation without a gap.
constexpr int kReadsMissedMax = 3;
// What lies between two reads in a row, at most; a cluster is not set back in less.
constexpr int kReadsApartMax = 2;

}  // namespace

Authority::Authority(const AuthorityOptions& options, Holder self, Bytes session, Registers& registers,
                     WriteLease& lease, Events events)
    : options_(options),
      self_(std::move(self)),
      session_(std::move(session)),
      registers_(registers),
      lease_(lease),
      events_(std::move(events)) {
  SYMBOLON_CHECK(options_.margin < options_.lease && options_.renew_interval < options_.lease - options_.margin);
}

Holder Authority::OwnerOf(const pb::Register& value) {
  return {Region(value.epoch().region()), value.epoch().incarnation()};
}

bool Authority::IsOwn(const pb::Register& value) const { return value.has_epoch() && OwnerOf(value) == self_; }

const Authority::Known& Authority::Find(const PoolId& pool) const {
  static const Known kAbsent;
  const auto found = known_.find(pool);
  return found == known_.end() ? kAbsent : found->second;
}

bool Authority::IsFree(const Known& known) const {
  if (known.unreadable) return false;
  return known.revision == 0 || IsOwn(known.value) || known.value.released() ||
         !holders_.contains(OwnerOf(known.value));
}

std::optional<std::chrono::nanoseconds> Authority::GoneSince(const Known& known) const {
  if (known.revision == 0 || known.unreadable) return std::nullopt;
  if (known.value.released()) return known.seen_at;
  const auto gone = gone_since_.find(OwnerOf(known.value));
  if (gone == gone_since_.end()) return std::nullopt;
  return std::max(gone->second, known.seen_at);
}

std::optional<Authority::Tenure> Authority::TenureOf(const Known& known) {
  if (known.value.tenure_seconds() == 0) return std::nullopt;
  return Tenure{known.seen_at, known.seen_at + std::chrono::seconds(known.value.tenure_seconds())};
}

bool Authority::InReach(Instant now) const {
  return read_done_at_ && now.since_boot - *read_done_at_ < kReadsMissedMax * options_.read_interval;
}

// ---- time ----

void Authority::OnTick(Instant now) {
  UpdateLive(now);
  if (!renewing_ && now.since_boot >= renew_at_) Renew(now);
  if (!reading_ && (hurry_ || now.since_boot >= read_at_)) Read(now);
}

void Authority::UpdateLive(Instant now) {
  const bool live = informed_ && now.since_boot < deadline_;
  if (std::exchange(live_, live) == live) return;
  if (!live) {
    ++counters.leases_lost;
    log::Warning("authority: this Region's lease is gone: it admits no changes ({})",
                 problem_.empty() ? "it had run out when it was renewed" : problem_);
  }
  events_.on_lease(now);
}

// ---- the lease ----

void Authority::Renew(Instant now) {
  renewing_ = true;
  registers_.Hold(self_, session_, options_.lease,
                  [this, sent_at = now.since_boot, setbacks = setbacks_](const RegisterResult<Held>& held, Instant at) {
                    OnHeld(held, sent_at, setbacks, at);
                  });
}

void Authority::OnHeld(const RegisterResult<Held>& held, std::chrono::nanoseconds sent_at, std::uint64_t setbacks,
                       Instant now) {
  renewing_ = false;
  if (setbacks != setbacks_) {
    renew_at_ = now.since_boot;
    return;
  }
  if (!held) {
    ++counters.renewals_failed;
    problem_ = held.error().detail;
    whole_ = true;
    renew_at_ = now.since_boot + options_.retry_interval;
    return UpdateLive(now);
  }
  ++counters.renewals;
  problem_.clear();
  renew_at_ = sent_at + options_.renew_interval;
  lease_revision_ = held->revision;
  if (!held->all_the_time || lease_number_ == 0) {
    // Others may have taken what was this Region's: nothing is admitted before that is known.
    ++lease_number_;
    informed_ = false;
    lease_.DenyAll();
    UpdateLive(now);
    whole_ = true;
    hurry_ = true;
  }
  // The lease runs from when it was granted, which is not before this.
  deadline_ = sent_at + options_.lease - options_.margin;
  lease_.SetDeadline(deadline_);
  UpdateLive(now);
}

// ---- registers ----

void Authority::Read(Instant now) {
  reading_ = true;
  hurry_ = false;
  read_at_ = now.since_boot + options_.read_interval;
  // No read has failed while this process stood still, nor would one have: the cluster may have been set back
  // meanwhile.
  const bool gap = read_done_at_ && now.since_boot - *read_done_at_ > kReadsApartMax * options_.read_interval;
  const Reading reading{.whole = std::exchange(whole_, false) || gap,
                        .lease_number = lease_number_,
                        .least = std::max(read_revision_, lease_revision_)};
  registers_.Read(reading.whole ? 0 : read_revision_, [this, reading](RegisterResult<RegisterNews> news, Instant at) {
    OnRead(std::move(news), reading, at);
  });
}

bool Authority::WentBack(const RegisterNews& all) const {
  std::map<PoolId, const RegisterNews::Entry*> there;
  for (const RegisterNews::Entry& entry : all.changed) there[entry.pool] = &entry;
  return std::ranges::any_of(known_, [&](const auto& pool) {
    const Known& known = pool.second;
    // A change of this Region's own may be newer than what was read.
    if (known.revision == 0 || known.revision > all.revision || known.unreadable) return false;
    const auto found = there.find(pool.first);
    if (found == there.end() || found->second->revision < known.revision) return true;
    return found->second->revision == known.revision &&
           found->second->value.SerializeAsString() != known.value.SerializeAsString();
  });
}

void Authority::OnRead(RegisterResult<RegisterNews> news, const Reading& reading, Instant now) {
  reading_ = false;
  if (!news) {
    problem_ = news.error().detail;
    whole_ = true;
    read_at_ = now.since_boot + options_.retry_interval;
    return;
  }
  const bool another = cluster_ != 0 && news->cluster != cluster_;
  if (another || news->revision < reading.least || (reading.whole && WentBack(*news))) {
    // Somebody has put another cluster there, or an older state of it; or whoever answered lags, which is not to be.
    log::Error("authority: the cluster is {}: its registers are read anew",
               another ? "another one" : "older than it was");
    ++setbacks_;
    cluster_ = news->cluster;
    read_revision_ = 0;
    lease_revision_ = 0;
    known_.clear();
    informed_ = false;
    lease_.DenyAll();
    deadline_ = {};
    renew_at_ = now.since_boot;
    lease_number_ = 0;
    hurry_ = true;
    return UpdateLive(now);
  }
  cluster_ = news->cluster;
  // Then it is not known yet whether they were set back.
  const bool behind = reading.whole && std::ranges::any_of(known_, [&](const auto& pool) {
                        return pool.second.revision > news->revision;
                      });
  Take(*std::move(news), reading.whole, now);
  // That one was removed only all of them together tell.
  const bool damaged = std::ranges::any_of(known_, [](const auto& pool) { return pool.second.unreadable; });
  if (behind || damaged) whole_ = true;
  if (informed_ || reading.lease_number == 0 || reading.lease_number != lease_number_) return;
  informed_ = true;
  UpdateLive(now);
}

std::set<PoolId> Authority::ForgetMended(const RegisterNews& all) {
  std::set<PoolId> mended;
  for (const auto& [pool, known] : known_) {
    if (known.unreadable && known.revision <= all.revision) mended.insert(pool);
  }
  for (const RegisterNews::Entry& entry : all.changed) mended.erase(entry.pool);
  for (const PoolId& pool : mended) known_.erase(pool);
  return mended;
}

void Authority::Take(RegisterNews news, bool whole, Instant now) {
  const bool gap = !InReach(now);
  read_revision_ = news.revision;
  read_done_at_ = now.since_boot;
  if (gap) gone_since_.clear();
  std::set<PoolId> changed = std::exchange(not_swapped_, {});
  if (whole) changed.merge(ForgetMended(news));
  for (RegisterNews::Entry& entry : news.changed) {
    PoolId pool = entry.pool;
    if (Learn(std::move(entry), now)) changed.insert(std::move(pool));
  }
  NoteHolders(std::move(news.holders), now);
  for (const PoolId& pool : changed) events_.on_register(pool, now);
}

bool Authority::Learn(RegisterNews::Entry entry, Instant now) {
  Known& known = known_[entry.pool];
  if (entry.revision <= known.revision) return false;
  const bool same_epoch =
      storage::SameEpoch(known.value.epoch(), entry.value.epoch()) && known.value.released() == entry.value.released();
  known = {.revision = entry.revision,
           .value = std::move(entry.value),
           .octets = std::move(entry.octets),
           .seen_at = same_epoch ? known.seen_at : now.since_boot,
           .unreadable = entry.unreadable};
  if (known.unreadable) {
    log::Error("authority: what lies in the register of pool {} is none: nobody changes the pool, or takes it over",
               entry.pool.value());
  }
  return true;
}

void Authority::NoteHolders(std::set<Holder> holders, Instant now) {
  holders_ = std::move(holders);
  for (const Holder& holder : holders_) gone_since_.erase(holder);
  for (const auto& [pool, known] : known_) {
    if (known.unreadable) continue;
    const Holder owner = OwnerOf(known.value);
    if (!holders_.contains(owner)) gone_since_.try_emplace(owner, now.since_boot);
  }
}

void Authority::Swap(const PoolId& pool, pb::Register value, std::move_only_function<void(Swapped, Instant)> done) {
  SYMBOLON_CHECK(swapping_.insert(pool).second);
  const Known& known = Find(pool);
  RegisterSwap swap{.pool = pool,
                    .expected = known.revision,
                    .expected_octets = known.octets,
                    .value = value,
                    .gone = std::nullopt,
                    .self = self_,
                    .session = session_};
  if (known.revision != 0 && !IsOwn(known.value) && !known.value.released()) swap.gone = OwnerOf(known.value);
  registers_.Swap(std::move(swap), [this, pool, setbacks = setbacks_, value = std::move(value), done = std::move(done)](
                                       const RegisterResult<std::optional<Revision>>& swapped, Instant now) mutable {
    swapping_.erase(pool);
    const bool known = swapped && setbacks == setbacks_;
    if (!known || !*swapped) {
      if (!swapped) problem_ = swapped.error().detail;
      whole_ = true;
      hurry_ = true;
      not_swapped_.insert(pool);
      return done(known ? Swapped::kChanged : Swapped::kUnavailable, now);
    }
    Bytes octets = value.SerializeAsString();
    Learn({.pool = pool, .revision = **swapped, .value = std::move(value), .octets = std::move(octets)}, now);
    done(Swapped::kDone, now);
  });
}

}  // namespace symbolon::replication
