// What all Regions must know of token families and sign-outs: facts that any Region may say, also while the primary is
// gone, and that merge in any order (replication protocol §5). Functions work on one Transaction; see there for
// failures. What is read is in the commit's read set, so "look, mark, issue" is one serialisable step in a Region.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "auth/fact_types.h"
#include "base/ids.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// Facts outlive what they speak of by this much, so that Regions whose clocks differ agree while it matters.
inline constexpr std::chrono::minutes kFactMargin{10};
// So long it is remembered in which Regions a one-time thing became tokens. A cut between Regions that lasts longer
// hides a double use.
inline constexpr std::chrono::days kDoubleUseWatch{7};
// Longer than any token lives (RefreshTokenValidity is at most 10 years).
inline constexpr std::chrono::days kSignOutMemory{3'660};

// The subject of a fact of `type`: 16 octets that reveal nothing.
Bytes FactSubject(const directory::Transaction& tx, FactType type, BytesView about);

// ---- what was forgotten ----
// A clock that was ahead for a while makes a Region forget facts that are needed again once it is right.

// Whether this Region may have forgotten what was said of a thing that is good until `until`: then nobody may honour
// it. Never so while clocks only go forward.
bool MayBeForgotten(directory::Transaction& tx, Timestamp until);
// The end of a fact that says the same if it was said before and forgotten: `micros`, or later, so that it is accepted.
std::int64_t AcceptedUntilMicros(directory::Transaction& tx, std::int64_t micros);

// ---- token families and one-time things ----
// A family is everything that came of one sign-in, named by a UUID (origin_jti). A sign-in that answers a one-time
// thing (session, SRP block, code, TOTP step) takes over that thing's id, so one that two cut-off Regions both redeemed
// shows up as one family with two births, and counts as revoked when they meet.

// Whether nobody may use the family's tokens any more.
bool IsFamilyRevoked(directory::Transaction& tx, std::string_view family);
// Whether it counts as revoked only because two Regions redeemed what it came of. That is forgotten like any use, so
// whoever sees it in time revokes the family for as long as it lives.
bool WasBornTwice(directory::Transaction& tx, std::string_view family);
// `until`: when the last of its tokens expires.
void RevokeFamily(directory::Transaction& tx, std::string_view family, Timestamp until);

// Whether this Region knows that the thing named `id` was used, here or elsewhere, or revoked.
bool WasUsed(directory::Transaction& tx, std::string_view id);
// `until`: when it expires, or when what came of it need not be watched any more.
void MarkUsed(directory::Transaction& tx, const Region& region, std::string_view id, Timestamp until);

// ---- rotation of refresh tokens ----

struct Rotation {
  // Generations 0 .. redeemed-1 of the family's refresh token were redeemed.
  std::uint32_t redeemed = 0;
  Timestamp last_redeemed_at;  // to the second; meaningful when redeemed > 0
};

Rotation RotationOf(directory::Transaction& tx, std::string_view family);
// Redeems `generation`. `until`: when the family's refresh tokens expire.
void MarkRedeemed(directory::Transaction& tx, std::string_view family, std::uint32_t generation, Timestamp now,
                  Timestamp until);

// ---- sign-outs ----

// Region → its counter. Tokens carry those known at their issue; a token is refused once any Region's counter is
// higher. Compares each Region's counter with that Region's own only, so clocks do not matter.
using SignOuts = std::map<std::string, std::uint64_t>;

SignOuts SignOutsOf(directory::Transaction& tx, BytesView user_key);
// Every token of the user that does not know of this sign-out is refused from now on.
void SignOutUser(directory::Transaction& tx, const Region& region, BytesView user_key, Timestamp now);
// Whether `merged` holds a sign-out that a token with `known` does not know of.
bool SignedOutSince(const SignOuts& merged, const SignOuts& known);

}  // namespace symbolon::auth
