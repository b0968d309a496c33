// What values a user's attributes may have, and who may write which. Pure and thread-safe.
//
// Attributes are strings under the API's names, whatever their type (AWS developer guide, "Working with user
// attributes"). Setting one to the empty string deletes it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "directory/records.pb.h"

namespace symbolon::auth {

using AttributeValues = std::map<std::string, std::string>;

enum class AttributeErrorCode {
  kUnauthorized,  // NotAuthorizedException: this client may not write the attribute
  kInvalid,       // InvalidParameterException
};

struct AttributeError {
  AttributeErrorCode code;
  // For the client, in Cognito's words.
  std::string message;
};

template <class T>
using AttributeResult = Result<T, AttributeError>;

// One address, without a display name or quotes: what a message can be sent to.
bool IsEmailAddress(std::string_view text);
// E.164: "+" and at most 15 digits.
bool IsPhoneNumber(std::string_view text);

// The attributes of a new user, as they are stored. `client` is nullptr when an administrator writes them: an
// administrator may leave out what is required, for the user to provide at the first sign-in.
AttributeResult<AttributeValues> CheckNewAttributes(const directory::pb::PoolRecord& pool,
                                                    const directory::pb::ClientRecord* client,
                                                    const AttributeValues& values);

// Changes of a user's attributes, as they are stored; the empty ones are deletions. `client` as above.
AttributeResult<AttributeValues> CheckAttributeChanges(const directory::pb::PoolRecord& pool,
                                                       const directory::pb::ClientRecord* client,
                                                       const directory::pb::UserRecord& user,
                                                       const AttributeValues& changes);

}  // namespace symbolon::auth
