// `symbolon keys withdraw` and `symbolon keys restore`: the keys that open a pool are disabled, or enabled again, in
// all its Regions at the same time, by each Region's own API (docs/keys.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/keys.h"

namespace symbolon::cli {

// Each blocks until the pool is seen locked, or open, in every Region that answers, and prints what came of it there as
// soon as it is known: no Region waits for another one. Fails when it was not done, or not seen, in one of them; that a
// Region has neither the pool nor its key is no failure.
CliResult<void> WithdrawKey(const KeysFlags& flags, Clock& clock);
CliResult<void> RestoreKey(const KeysFlags& flags, Clock& clock);

// ---- pure ----

// The keys of this Region that open the pool, as an answer of DescribeUserPoolKey (JSON) of any Region has them. First
// the one with which it does; then those that may be there: the pool's key and those of other Regions, if they are
// multi-Region keys, whose replicas open the same; and what a change that is under way offers.
std::vector<std::string> KeysThatOpen(std::string_view description, const std::string& region);

// What a person can do about a key that the Region's own key service does not have; for the end of a line.
std::string HowToDisable(const std::string& arn, const std::string& region);
std::string HowToEnable(const std::string& arn, const std::string& region);

}  // namespace symbolon::cli
