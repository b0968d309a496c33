// A client's request that a secondary passes on to its pool's primary: whom it is sent to, and what may be concluded
// from what comes back. Pure; not thread-safe.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "replication/link.pb.h"

namespace symbolon::replication {

// So many may be under way from one node to one Region.
inline constexpr int kForwardsMax = 256;

enum class ForwardOutcome {
  // By the primary, whatever it said.
  kAnswered,
  // Nothing was done, because the request was not sent: the primary is not connected,
  kNotReached,
  // or too many are under way.
  kBusy,
  // Nothing was done, because the Region that was asked takes no requests about the pool from this one (no member of
  // it, an older version, clocks that are too far apart),
  kRefused,
  // because the primary is changing, and who it will be is not settled,
  kChanging,
  // or because this Region is, or is about to be, the primary itself.
  kIsHere,
  // It was sent, and no answer came in time: it may have been done, or may still be.
  kUnknown,
};

inline constexpr std::array kForwardOutcomes = {
    ForwardOutcome::kAnswered, ForwardOutcome::kNotReached, ForwardOutcome::kBusy,   ForwardOutcome::kRefused,
    ForwardOutcome::kChanging, ForwardOutcome::kIsHere,     ForwardOutcome::kUnknown};
// "answered", "not_reached", ...: for metrics.
std::string_view ForwardOutcomeName(ForwardOutcome outcome);

struct Forwarded {
  ForwardOutcome outcome = ForwardOutcome::kUnknown;
  // Who was asked last.
  Region region;
  // With kAnswered.
  Bytes answer;
  // For the operator's log.
  std::string detail;
};

// What came of asking one Region.
struct ForwardReply {
  // False: for sure not, so nothing was done.
  bool sent = false;
  // nullopt: none in time, or the connection broke.
  std::optional<pb::ControlAnswer> answer;
};

// The way of one request. What may have been done is never sent again; what was refused by a Region that is not the
// primary goes once more, to the Region that the refusal names.
class ForwardRoute {
 public:
  // `primary`: the Region that is taken for it; not `here`.
  ForwardRoute(Region here, Region primary) : here_(std::move(here)), target_(std::move(primary)) {}

  // Whom to ask.
  const Region& target() const { return target_; }
  // What came of it. nullopt: ask target(), which is another one now.
  std::optional<Forwarded> OnReply(ForwardReply reply);

 private:
  std::optional<Forwarded> OnNotPrimary(const std::string& named);
  Forwarded End(ForwardOutcome outcome, std::string detail = {}) const;

  const Region here_;
  Region target_;
  bool redirected_ = false;
};

}  // namespace symbolon::replication
