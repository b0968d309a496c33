#include "auth/lockout.h"

#include <algorithm>

#include "auth/facts.h"

namespace symbolon::auth {
namespace {

using storage::pb::FactValue;

constexpr std::uint64_t kFreeFailures = 4;
constexpr std::chrono::seconds kLockMax = std::chrono::minutes(15);
constexpr std::chrono::seconds kIdle = std::chrono::minutes(15);
// Failure 15 locks for the longest time, so more of them in one Region change nothing.
constexpr std::uint64_t kRegionFailuresMax = 15;

// One Region's part of the fact, one number that only grows: series ‖ failures in it ‖ time of the last, counted from
// the series' start. A series begins with the time in seconds, so that it lies beyond those that were forgotten.
struct Part {
  std::uint64_t series = 0;    // 32 bits
  std::uint64_t failures = 0;  // 8 bits
  std::uint64_t seconds = 0;   // 24 bits

  static Part Unpack(std::uint64_t number) {
    return {.series = number >> 32, .failures = number >> 24 & 0xff, .seconds = number & 0xff'ffff};
  }
  std::uint64_t Pack() const { return series << 32 | failures << 24 | seconds; }
};

// What all Regions together say.
struct Attempts {
  std::uint64_t series = 0;
  std::uint64_t failures = 0;
  std::int64_t last_seconds = 0;
  // This Region's share of the series.
  std::uint64_t failures_here = 0;

  // When the next attempt is welcome; the time of the last failure when nothing is locked.
  std::int64_t LockedUntilSeconds() const {
    if (failures <= kFreeFailures) return last_seconds;
    const std::uint64_t doublings = std::min<std::uint64_t>(failures - kFreeFailures - 1, 20);
    return last_seconds + std::min<std::int64_t>(std::int64_t{1} << doublings, kLockMax.count());
  }
  bool AreForgotten(Timestamp now) const { return ToSeconds(now) >= LockedUntilSeconds() + kIdle.count(); }
};

// The highest series counts; what a Region said in an earlier one was ended by a success or by time.
Attempts Merge(const FactValue& fact, const Region& here) {
  Attempts attempts;
  for (const auto& [region, number] : fact.region_maximum()) {
    attempts.series = std::max(attempts.series, Part::Unpack(number).series);
  }
  for (const auto& [region, number] : fact.region_maximum()) {
    const Part part = Part::Unpack(number);
    if (part.series != attempts.series) continue;
    const std::uint64_t failures = std::min(part.failures, kRegionFailuresMax);
    attempts.failures += failures;
    if (failures > 0) {
      attempts.last_seconds = std::max(attempts.last_seconds, static_cast<std::int64_t>(part.series + part.seconds));
    }
    if (region == here.value()) attempts.failures_here = failures;
  }
  return attempts;
}

Attempts AttemptsOf(directory::Transaction& tx, const Region& here, BytesView counting_key) {
  const auto fact = tx.GetFact(static_cast<std::uint16_t>(FactType::kFailedAttempts),
                               FactSubject(tx, FactType::kFailedAttempts, counting_key));
  return fact ? Merge(*fact, here) : Attempts();
}

std::uint64_t NextSeries(const Attempts& attempts, Timestamp now) {
  return std::max(attempts.series + 1, static_cast<std::uint64_t>(ToSeconds(now)));
}

void Say(directory::Transaction& tx, const Region& region, BytesView counting_key, const Part& part, Timestamp now) {
  FactValue fact;
  (*fact.mutable_region_maximum())[region.value()] = part.Pack();
  fact.set_expires_at_micros(AcceptedUntilMicros(tx, ToMicros(now + kLockMax + kIdle + kFactMargin)));
  tx.JoinFact(static_cast<std::uint16_t>(FactType::kFailedAttempts),
              FactSubject(tx, FactType::kFailedAttempts, counting_key), fact);
}

}  // namespace

FailedAttempts FailedAttemptsOf(directory::Transaction& tx, BytesView counting_key, Timestamp now) {
  const Attempts attempts = AttemptsOf(tx, Region(), counting_key);
  if (attempts.failures == 0 || attempts.AreForgotten(now)) return {};
  const Timestamp until = FromSeconds(attempts.LockedUntilSeconds());
  const bool locked = attempts.failures > kFreeFailures && now < until;
  return {.count = attempts.failures, .locked_until = locked ? std::optional(until) : std::nullopt};
}

bool IsLockedOut(directory::Transaction& tx, BytesView counting_key, Timestamp now) {
  return FailedAttemptsOf(tx, counting_key, now).locked_until.has_value();
}

void CountFailedAttempt(directory::Transaction& tx, const Region& region, BytesView counting_key, Timestamp now) {
  Attempts attempts = AttemptsOf(tx, region, counting_key);
  if (attempts.series == 0 || (attempts.failures > 0 && attempts.AreForgotten(now))) {
    attempts = {.series = NextSeries(attempts, now)};
  }
  const std::int64_t age_seconds = ToSeconds(now) - static_cast<std::int64_t>(attempts.series);
  Say(tx, region, counting_key,
      {.series = attempts.series,
       .failures = std::min(attempts.failures_here + 1, kRegionFailuresMax),
       .seconds = static_cast<std::uint64_t>(std::clamp<std::int64_t>(age_seconds, 0, 0xff'ffff))},
      now);
}

void ForgetFailedAttempts(directory::Transaction& tx, const Region& region, BytesView counting_key, Timestamp now) {
  const Attempts attempts = AttemptsOf(tx, region, counting_key);
  if (attempts.failures == 0 || attempts.AreForgotten(now)) return;
  Say(tx, region, counting_key, {.series = NextSeries(attempts, now)}, now);
}

}  // namespace symbolon::auth
