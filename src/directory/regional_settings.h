// The settings of a pool that each Region keeps for itself, whichever of them is primary: its tags, and from whom its
// e-mails come. A new replica begins with those that were given for it when it was made; they travel in the directory,
// as a record per Region, and count until the Region sets its own. All functions work on one Transaction; see there for
// failures.
#pragma once

#include "base/ids.h"
#include "directory/record_types.h"
#include "directory/transaction.h"

namespace symbolon::directory {

pb::RegionalSettings RegionalSettingsOf(Transaction& tx, const pb::PoolRecord& pool, const Region& here);
// Of this Region, primary or not: no change of the directory.
void PutRegionalSettings(Transaction& tx, const pb::RegionalSettings& settings);

// A change of the directory, for a replica that is being made, in place of what an earlier one in this Region began
// with.
void SeedRegionalSettings(Transaction& tx, const Region& replica, const pb::RegionalSettings& settings);
// The replica is being deleted.
void DropRegionalSeed(Transaction& tx, const Region& replica);

}  // namespace symbolon::directory
