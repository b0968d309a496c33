#include "auth/new_password.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "auth/attribute_access.h"
#include "auth/attributes.h"
#include "auth/codes.h"
#include "auth/mfa.h"
#include "auth/password.h"
#include "auth/session.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;
using directory::pb::ClientRecord;
using directory::pb::UserRecord;

constexpr std::string_view kAttributePrefix = "userAttributes.";

bool HasValue(const UserRecord& user, const std::string& attribute) {
  const auto found = user.attributes().find(attribute);
  return found != user.attributes().end() && !found->second.empty();
}

// What the user still has to provide.
std::vector<std::string> MissingAttributes(const directory::pb::PoolRecord& pool, const UserRecord& user) {
  std::vector<std::string> missing;
  for (const auto& schema : pool.schema()) {
    if (schema.required() && schema.name() != "sub" && !HasValue(user, schema.name())) missing.push_back(schema.name());
  }
  return missing;
}

AuthError ToAuthError(const AttributeError& error) {
  switch (error.code) {
    case AttributeErrorCode::kUnauthorized:
      return {.code = AuthErrorCode::kNotAuthorized, .message = error.message};
    case AttributeErrorCode::kInvalid:
      return {.code = AuthErrorCode::kInvalidParameter, .message = error.message};
  }
  return {};
}

// Applies `userAttributes.*` of the answer.
AuthResult<void> TakeAttributes(const Context& context, const ClientRecord& client, const Parameters& responses,
                                UserRecord& user) {
  AttributeValues changes;
  for (const auto& [name, value] : responses) {
    if (name.starts_with(kAttributePrefix)) changes[name.substr(kAttributePrefix.size())] = value;
  }
  const auto& verified_first = context.pool.verify_before_update();
  for (const auto& schema : context.pool.schema()) {
    const auto change = changes.find(schema.name());
    if (change == changes.end() || !HasValue(user, schema.name())) continue;
    // An address that is to be verified before it replaces another has no code here to be verified by.
    const bool is_fixed = schema.required() || std::ranges::find(verified_first, schema.name()) != verified_first.end();
    if (!is_fixed) continue;
    if (change->second != user.attributes().at(schema.name())) {
      return Fail(AuthErrorCode::kInvalidParameter, "Cannot modify an already provided " + schema.name());
    }
    changes.erase(change);
  }
  auto checked = CheckAttributeChanges(context.pool, &client, user, changes);
  if (!checked) return Err(ToAuthError(checked.error()));
  auto& attributes = *user.mutable_attributes();
  for (const auto& [name, value] : *checked) {
    const bool is_new = !attributes.contains(name) || attributes.at(name) != value;
    const bool is_address = name == "email" || name == "phone_number";
    if (value.empty()) {
      attributes.erase(name);
      if (is_address) attributes.erase(name + "_verified");
    } else {
      attributes[name] = value;
      // What proved the former address proves nothing of the new one.
      if (is_address && is_new) attributes[name + "_verified"] = "false";
    }
  }
  if (const auto missing = MissingAttributes(context.pool, user); !missing.empty()) {
    return Fail(AuthErrorCode::kInvalidParameter, "Missing required attribute " + missing.front());
  }
  return {};
}

}  // namespace

Challenge RequireNewPassword(const Context& context, const ClientRecord& client, const directory::User& user,
                             const SignInDevice& device) {
  const std::map<std::string, std::string> ordered(user.record.attributes().begin(), user.record.attributes().end());
  json::object attributes;
  for (const auto& [name, value] : ordered) {
    if (ClientMayRead(client, name)) attributes[name] = value;
  }
  json::array required;
  for (const std::string& name : MissingAttributes(context.pool, user.record)) {
    required.emplace_back(std::string(kAttributePrefix) + name);
  }
  return {.name = ChallengeName::kNewPasswordRequired,
          .parameters = {{"USER_ID_FOR_SRP", user.record.username()},
                         {"userAttributes", json::serialize(attributes)},
                         {"requiredAttributes", json::serialize(required)}},
          .session = NewSession(context, client, user, pb::Session::NEW_PASSWORD_REQUIRED, device.key)};
}

AuthResult<SignInStep> AnswerNewPasswordRequired(const Context& context, const ClientRecord& client, Door door,
                                                 const std::optional<std::string>& session,
                                                 const Parameters& responses) {
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const std::string_view password, Require(responses, "NEW_PASSWORD"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));
  SYMBOLON_TRY(OpenedSession opened, OpenSession(context, client, session, pb::Session::NEW_PASSWORD_REQUIRED));
  directory::User& user = opened.user;
  SYMBOLON_TRY_VOID(CheckNamed(context, opened, username));
  if (user.record.status() != directory::pb::FORCE_CHANGE_PASSWORD) return Err(InvalidSession());

  const UserRecord before = user.record;
  SYMBOLON_TRY_VOID(TakeAttributes(context, client, responses, user.record));
  if (const auto breach = FindPolicyBreach(context.pool.password_policy(), password)) {
    return Fail(AuthErrorCode::kInvalidPassword, MessageOf(*breach));
  }
  SetPassword(context.env, context.tx.pool(), user.record, password);
  DropCodes(user.record, directory::pb::PendingCode::RESET_PASSWORD, "");
  user.record.set_status(directory::pb::CONFIRMED);
  user.record.set_modified_micros(ToMicros(context.now()));
  const auto updated =
      directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse);
  if (!updated) {
    return Fail(AuthErrorCode::kAliasExists, "An account with the " + updated.error().attribute + " already exists.");
  }
  return RequireSecondFactor(context, client, user, OneTime{.id = opened.id, .expires_at = opened.expires_at},
                             DeviceOf(context, door, responses, opened.session.device_key()));
}

}  // namespace symbolon::auth
