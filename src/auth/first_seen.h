// The first sign-in of a user of an identity provider in a Region that cannot make their record: said as a fact, which
// the pool's primary turns into a record (src/federation/absorption.h). Until the record is here, the fact is the user.
// Functions work on one Transaction; see there for failures.
//
// A fact for each life of a user: its subject is an HMAC of the user's key and of how often that user was deleted, so
// what is said late of somebody who was deleted meanwhile speaks of nobody. Each Region says at most one element,
// sealed under the pool's key; of several the one of the lowest (Region, time) counts, everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "auth/context.h"
#include "auth/tokens.pb.h"
#include "directory/users.h"

namespace symbolon::auth {

// Of one element, sealed; more is refused at the sign-in.
inline constexpr std::size_t kFirstSeenBytesMax = 32 * 1024;
// Long enough that no copy of a refused statement is still on its way.
inline constexpr std::chrono::days kRefusedMemory{30};

// The user of this key, as first seen; nullopt: nothing is said of this life of theirs, or the primary refused it.
std::optional<directory::User> FirstSeenUser(directory::Transaction& tx, BytesView user_key);

// Says what this Region saw. False: it is too large, nothing is said.
bool SayFirstSeen(const Context& context, BytesView user_key, const pb::FirstSeen& seen);

// The record that what was seen makes; nothing of it is believed beyond that its Region has the pool's keys.
directory::User UserOfFirstSeen(const pb::FirstSeen& seen, Bytes user_key, const keys::PoolKeys& keys);

// ---- for the primary ----

struct FirstSeenFact {
  Bytes subject;
  // The element that counts; nullopt: none opens.
  std::optional<pb::FirstSeen> seen;
  bool refused = false;
  // Whether its end is set.
  bool ends = false;
};

// A merged fact as stored under `subject`. nullopt: none of its elements opens, which is not for ever: they may be
// sealed under a key that comes.
std::optional<FirstSeenFact> OpenFirstSeen(directory::Transaction& tx, const Bytes& subject);
// The subject under which what is said of this user's life is found.
Bytes FirstSeenSubject(const directory::Transaction& tx, BytesView user_key, std::uint32_t deletions);
// Nobody is it any more.
void RefuseFirstSeen(directory::Transaction& tx, const Bytes& subject, Timestamp now);
// Every member has the record (or the deletion) that settles it.
void EndFirstSeen(directory::Transaction& tx, const Bytes& subject, Timestamp now);

}  // namespace symbolon::auth
