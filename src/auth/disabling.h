// Whether a user is disabled: said by administrators in any Region, also while the primary is gone, and never lost by a
// change of primary. Functions work on one Transaction; see there for failures. What is read is in the commit's read
// set.
//
// A fact per user who was ever disabled (observed-remove): each disable has a name, (Region, number), and an enable
// names those that it lifts. A disable that no enable names holds, so whoever disables while another Region, which does
// not know of it, enables has the last word. Named by the user's sub: somebody who gets the same user name later is
// somebody else.
#pragma once

#include "base/ids.h"
#include "directory/records.pb.h"
#include "directory/transaction.h"

namespace symbolon::auth {

struct Switch {
  bool enabled = true;
  // When somebody last disabled or enabled the user, by that Region's clock; for display. The epoch: nobody ever did.
  Timestamp changed_at;
};

Switch SwitchOf(directory::Transaction& tx, const directory::pb::UserRecord& user);
bool IsEnabled(directory::Transaction& tx, const directory::pb::UserRecord& user);

// Ends the user's sign-ins too: no token or session that was issued before comes back to life when the user is enabled
// again. Says a new disable even if one is in force: an enable elsewhere may know that one and not this.
void DisableUser(directory::Transaction& tx, const Region& region, BytesView user_key,
                 const directory::pb::UserRecord& user, Timestamp now);
// Lifts every disable that this Region knows of. Says nothing when the user is enabled.
void EnableUser(directory::Transaction& tx, const directory::pb::UserRecord& user, Timestamp now);

}  // namespace symbolon::auth
