// What a pool's primary asks of another Region about its keys, and the keys that it sends there.
#pragma once

#include <chrono>

#include "key_life/key_changes.h"
#include "key_life/link.pb.h"

namespace symbolon::key_life {

// For how long, and how often, a Region is asked.
struct Patience {
  std::chrono::nanoseconds limit;
  std::chrono::milliseconds again;
};

// Sends `request` until the Region has done what it asks, and the keys that it lacks for that. Blocks. Errors:
// kUnusableKey with the Region's reason, kNotUnderstood, kUnavailable when it was not heard, or not done, in time.
ChangeResult<pb::KeyAnswer> AskMember(const Services& services, const Region& region, const PoolId& pool,
                                      const pb::KeyRequest& request, const Patience& patience);

ChangeError TranslateKeyError(const keys::KeyServiceError& error);

}  // namespace symbolon::key_life
