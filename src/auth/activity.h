// When users last signed in, in whichever Region: a fact, a maximum of times. It is for people who look, decides
// nothing, and is coarse, so that a right password costs a user at most one small write an hour, for which no answer
// waits. Functions work on one Transaction; see there for failures.
#pragma once

#include <chrono>
#include <optional>

#include "directory/records.pb.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// A sign-in that follows the noted one within this time is not noted.
inline constexpr std::chrono::hours kSignInResolution{1};
// So long the last sign-in is remembered.
inline constexpr std::chrono::days kSignInMemory{400};

void NoteSignIn(directory::Transaction& tx, const directory::pb::UserRecord& user, Timestamp now);
// nullopt: none was noted within kSignInMemory.
std::optional<Timestamp> LastSignInOf(directory::Transaction& tx, const directory::pb::UserRecord& user);

}  // namespace symbolon::auth
