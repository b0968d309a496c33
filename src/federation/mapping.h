// What a provider says of somebody, as attributes of the pool (AWS developer guide, "Mapping IdP attributes"). Pure and
// thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "auth/attributes.h"
#include "directory/records.pb.h"

namespace symbolon::federation {

struct MappedAttributes {
  auth::AttributeValues values;
  // Those of them that only `answered` says.
  std::vector<std::string> from_answer;
};

// `signed_claims`: of a verified ID token; they go first. `answered`: of the provider's userInfo endpoint, or empty.
// Texts as they are; numbers and booleans as text; lists as "[a,b]" with their texts URL-encoded. A claim that is
// missing, null or empty sets nothing. "email_verified" without "email" and the like are left out.
MappedAttributes MapClaims(const directory::pb::IdentityProviderRecord& provider,
                           const boost::json::object& signed_claims, const boost::json::object& answered);

// Whether the ID token lacks a claim that the mapping names.
bool NeedsAnswer(const directory::pb::IdentityProviderRecord& provider, const boost::json::object& signed_claims);

}  // namespace symbolon::federation
