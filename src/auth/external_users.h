// Users who sign in at an identity provider: what they are called here, and where they are found while only a fact
// speaks of them (first_seen.h). Functions work on one Transaction; see there for failures.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/context.h"
#include "directory/users.h"

namespace symbolon::auth {

inline constexpr std::string_view kIdentitiesAttribute = "identities";

// `<provider>_<subject>`, folded as a whole where the pool's names are case-insensitive.
std::string ExternalUsername(const directory::pb::PoolRecord& pool, std::string_view provider,
                             std::string_view subject);

// The same UUID in every Region: a function of provider, subject and the number of deletions, under the pool's identity
// key (replication protocol §5).
std::string DerivedSub(const keys::PoolKeys& keys, const directory::pb::ExternalIdentity& identity);

// How often a user of this key was deleted before.
std::uint32_t DeletionsOf(directory::Transaction& tx, BytesView user_key);

// A new, enabled user of a provider, EXTERNAL_PROVIDER, without attributes but "identities".
directory::User MakeExternalUser(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                 const directory::pb::ExternalIdentity& identity, Timestamp created);

// The claim of an ID token that the attribute "identities" becomes: an array whose members are texts.
boost::json::value IdentitiesClaim(std::string_view attribute);

// As directory::GroupsOf; of somebody without a record the group of their provider.
std::vector<directory::pb::GroupRecord> GroupsOfUser(directory::Transaction& tx, const directory::User& user);

// A user with a record, or else one of whom a fact says that they were seen first in some Region: to be read, not to be
// changed (UserRecord::first_seen).
std::optional<directory::User> GetKnownUser(directory::Transaction& tx, BytesView user_key);
std::optional<directory::SharedUser> ShareKnownUser(directory::Transaction& tx, BytesView user_key);
// By user name; with a record also by alias or sub.
std::optional<directory::User> FindKnownUser(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                             std::string_view name);

}  // namespace symbolon::auth
