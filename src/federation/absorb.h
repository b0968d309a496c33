// What the primary makes of one first sign-in that another Region saw: a plan (architecture §4).
//
// What a Region says can make a user where none is, of what the provider signed, and of what the provider answered to
// that Region. It cannot change a user, verify an address by itself, or give anybody a name.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "auth/first_seen.h"
#include "directory/transaction.h"
#include "federation/id_token.h"

namespace symbolon::federation {

enum class Absorbed {
  // Its end is set, or it is refused, or nothing opens.
  kNothing,
  // The record, or the deletion, that settles it is here, as of the transaction's snapshot; and so in every later entry
  // of this history. It is kept for the members that lack that.
  kSettled,
  kRecord,
  kRefused,
  // It cannot be verified yet.
  kWaiting,
};

// A statement that nobody can verify any more, because the provider has other keys: so long the next sign-in of the
// same user at the primary may settle it.
inline constexpr std::chrono::days kUnverifiableAfter{30};

// The provider's key, if the primary has got it from the issuer itself. nullopt: not yet.
using TrustedKey = std::function<std::optional<ProviderKey>(const directory::pb::IdentityProviderRecord& provider,
                                                            const ProviderKey& key)>;

// At the primary, with the pool's keys. `subject`: of a fact of type kFirstSeen.
Absorbed AbsorbFirstSeen(directory::Transaction& tx, const directory::pb::PoolRecord& pool, const Bytes& subject,
                         Timestamp now, const TrustedKey& trusted);

}  // namespace symbolon::federation
