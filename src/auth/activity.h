// When users last signed in and devices were last seen, in whichever Region: facts, maxima of times. They are for
// people who look, and decide nothing. Functions work on one Transaction; see there for failures.
#pragma once

#include <chrono>
#include <optional>

#include "directory/records.pb.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// A sign-in that follows the noted one within this time is not noted, so that a right password costs a user at most one
// small write an hour, for which no answer waits.
inline constexpr std::chrono::hours kSignInResolution{1};
// So long the last sign-in of a user, and of a device, is remembered.
inline constexpr std::chrono::days kSignInMemory{400};

void NoteSignIn(directory::Transaction& tx, const directory::pb::UserRecord& user, Timestamp now);
// nullopt: none was noted within kSignInMemory.
std::optional<Timestamp> LastSignInOf(directory::Transaction& tx, const directory::pb::UserRecord& user);

// Of a device that has proved itself. Each time: it goes with the commit that marks the proof as used.
void NoteDeviceSeen(directory::Transaction& tx, const directory::pb::DeviceRecord& device, Timestamp now);
// The sign-in that the device was confirmed in counts too.
Timestamp DeviceLastSeen(directory::Transaction& tx, const directory::pb::DeviceRecord& device);

}  // namespace symbolon::auth
