#include "federation/sign_in.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/attribute_access.h"
#include "auth/attributes.h"
#include "auth/disabling.h"
#include "auth/external_users.h"
#include "auth/first_seen.h"
#include "directory/groups.h"
#include "directory/identity_providers.h"

namespace symbolon::federation {
namespace {

using auth::AuthErrorCode;
using auth::AuthResult;
using auth::Fail;
using directory::pb::ClientRecord;
using directory::pb::ExternalIdentity;
using directory::pb::IdentityProviderRecord;
using directory::pb::PoolRecord;

constexpr std::size_t kUsernameCharactersMax = 128;

bool IsFlag(std::string_view name) { return name == "email_verified" || name == "phone_number_verified"; }

auto NameTaken(const directory::User& user) {
  return Fail(AuthErrorCode::kAliasExists,
              fmt::format("Already found an entry for username {}", user.record.username()));
}

bool IsSame(const ExternalIdentity& a, const ExternalIdentity& b) {
  return a.provider() == b.provider() && a.subject() == b.subject();
}

// What the client may not write, its users do not get from elsewhere either (developer guide, "Mapping IdP
// attributes").
AuthResult<void> CheckClientWrites(const ClientRecord& client, const auth::AttributeValues& values) {
  for (const auto& [name, value] : values) {
    if (!IsFlag(name) && !auth::ClientMayWrite(client, name))
      return Fail(AuthErrorCode::kInvalidParameter, fmt::format("user.{}: Attribute cannot be updated.", name));
  }
  return {};
}

AuthResult<void> CheckRequired(const PoolRecord& pool, const auth::AttributeValues& values) {
  std::string missing;
  for (const auto& schema : pool.schema()) {
    const bool assigned = schema.name() == "sub" || schema.name() == auth::kIdentitiesAttribute;
    if (schema.required() && !assigned && !values.contains(schema.name()))
      missing += (missing.empty() ? "" : ", ") + schema.name();
  }
  if (missing.empty()) return {};
  return Fail(AuthErrorCode::kInvalidParameter, fmt::format("attributes required: [{}]", missing));
}

std::string FirstLine(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

// Addresses of which nobody says that they are verified are not.
void AddFlags(google::protobuf::Map<std::string, std::string>& attributes) {
  for (const std::string address : {"email", "phone_number"}) {
    if (attributes.contains(address) && !attributes.contains(address + "_verified"))
      attributes[address + "_verified"] = "false";
  }
}

AuthResult<directory::User> Refresh(const auth::Context& context, const ClientRecord& client, directory::User user,
                                    const auth::AttributeValues& values) {
  SYMBOLON_TRY_VOID(CheckClientWrites(client, values));
  auto changes = auth::CheckAttributeChanges(context.pool, nullptr, user.record, values);
  if (!changes) return Fail(AuthErrorCode::kInvalidParameter, FirstLine(changes.error().message));
  const directory::pb::UserRecord before = user.record;
  auto& attributes = *user.record.mutable_attributes();
  bool differs = false;
  const auto set = [&](const std::string& name, const std::string& value) {
    const auto present = attributes.find(name);
    if (present != attributes.end() && present->second == value) return false;
    attributes[name] = value;
    differs = true;
    return true;
  };
  for (const auto& [name, value] : *changes) {
    const bool changed = set(name, value);
    // What was verified was the former one.
    if (changed && (name == "email" || name == "phone_number") && !changes->contains(name + "_verified"))
      set(name + "_verified", "false");
  }
  if (!differs) return user;
  user.record.set_modified_micros(ToMicros(context.now()));
  const auto stored =
      directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse);
  if (!stored) return NameTaken(user);
  return user;
}

}  // namespace

AuthResult<directory::User> StoreNewUser(directory::Transaction& tx, const PoolRecord& pool, directory::User user) {
  user.record.clear_first_seen();
  const auto stored = directory::InsertUser(tx, pool, user, directory::OnAliasConflict::kRefuse);
  if (!stored) return NameTaken(user);
  const std::string group = directory::GroupOfProvider(tx.pool(), user.record.external().provider());
  if (directory::GetGroup(tx, group)) directory::AddMember(tx, user.key, group);
  return user;
}

AuthResult<directory::User> SignIn(const auth::Context& context, const ClientRecord& client,
                                   const IdentityProviderRecord& provider, const Assertion& assertion,
                                   const std::string& nonce, bool can_write) {
  ExternalIdentity identity;
  identity.set_provider(provider.name());
  identity.set_subject(assertion.subject);
  directory::User user = auth::MakeExternalUser(context.tx, context.pool, identity, context.now());
  if (user.record.username().size() > kUsernameCharactersMax)
    return Fail(AuthErrorCode::kInvalidParameter, "The IdP's name for the user is too long");

  // 1. Somebody who was here before. Names fold, subjects do not: two who differ in case only are two.
  if (auto known = directory::GetUser(context.tx, user.key)) {
    if (!known->record.has_external() || !IsSame(known->record.external(), identity)) return NameTaken(user);
    if (!auth::IsEnabled(context.tx, known->record)) return Fail(AuthErrorCode::kNotAuthorized, "User is disabled.");
    if (!can_write) return *std::move(known);
    return Refresh(context, client, *std::move(known), assertion.attributes.values);
  }
  identity.set_deletions(auth::DeletionsOf(context.tx, user.key));
  user = auth::MakeExternalUser(context.tx, context.pool, identity, context.now());

  // 2. Somebody new, of whom the pool wants to know enough.
  SYMBOLON_TRY_VOID(CheckClientWrites(client, assertion.attributes.values));
  auto values = auth::CheckNewAttributes(context.pool, nullptr, assertion.attributes.values);
  if (!values) return Fail(AuthErrorCode::kInvalidParameter, FirstLine(values.error().message));
  SYMBOLON_TRY_VOID(CheckRequired(context.pool, *values));
  for (auto& [name, value] : *values) (*user.record.mutable_attributes())[name] = std::move(value);
  AddFlags(*user.record.mutable_attributes());
  // Disabled while only a fact spoke of them, or a record that a promotion set aside, or that is not here yet.
  if (!auth::IsEnabled(context.tx, user.record)) return Fail(AuthErrorCode::kNotAuthorized, "User is disabled.");
  if (can_write) return StoreNewUser(context.tx, context.pool, std::move(user));

  // 3. Of whom a fact speaks, or will.
  if (auto seen = auth::FirstSeenUser(context.tx, user.key)) {
    if (!IsSame(seen->record.external(), identity)) return NameTaken(user);
    if (!auth::IsEnabled(context.tx, seen->record)) return Fail(AuthErrorCode::kNotAuthorized, "User is disabled.");
    return *std::move(seen);
  }
  if (context.tx.Get<directory::UniqueIndexKind>(user.key)) return NameTaken(user);
  const auto said = auth::OpenFirstSeen(context.tx, auth::FirstSeenSubject(context.tx, user.key, identity.deletions()));
  if (said && said->refused)
    return Fail(AuthErrorCode::kNotAuthorized, "The first sign-in has to be in the user pool's primary Region");
  auth::pb::FirstSeen seen;
  *seen.mutable_identity() = identity;
  seen.set_provider_id(provider.id());
  seen.set_username(user.record.username());
  // That an address is verified counts only where the provider signed it.
  for (const std::string& name : assertion.attributes.from_answer) {
    seen.add_unsigned_attributes(name);
    if (IsFlag(name)) (*user.record.mutable_attributes())[name] = "false";
  }
  *seen.mutable_attributes() = user.record.attributes();
  seen.set_seen_micros(ToMicros(context.now()));
  seen.set_assertion(assertion.id_token);
  seen.set_jwk(assertion.jwk);
  seen.set_nonce(nonce);
  if (!auth::SayFirstSeen(context, user.key, seen))
    return Fail(AuthErrorCode::kInvalidParameter, "The IdP says more of the user than a first sign-in here can keep");
  return auth::UserOfFirstSeen(seen, user.key, context.tx.keys());
}

}  // namespace symbolon::federation
