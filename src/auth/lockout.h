// Failed password attempts and what they cost: from the fifth on, failure n locks the user out for 2^(n-5) seconds, at
// most 15 minutes. A success, or 15 minutes without an attempt after the lock, begins anew. Attempts while locked out
// are not counted (AWS developer guide, "Lockout behavior for failed sign-in attempts").
//
// Counted in facts, so that all Regions share one budget: whoever guesses in two of them has no more guesses than in
// one, once the facts have met. Functions work on one Transaction; see there for failures. `counting_key`:
// counting_key.h; names without users lock as well.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "directory/transaction.h"

namespace symbolon::auth {

struct FailedAttempts {
  // Of all Regions, since the last success.
  std::uint64_t count = 0;
  // Set while the lock holds.
  std::optional<Timestamp> locked_until;
};

FailedAttempts FailedAttemptsOf(directory::Transaction& tx, BytesView counting_key, Timestamp now);
bool IsLockedOut(directory::Transaction& tx, BytesView counting_key, Timestamp now);
void CountFailedAttempt(directory::Transaction& tx, const Region& region, BytesView counting_key, Timestamp now);
// After a complete sign-in. Says nothing when there is nothing to forget.
void ForgetFailedAttempts(directory::Transaction& tx, const Region& region, BytesView counting_key, Timestamp now);

}  // namespace symbolon::auth
