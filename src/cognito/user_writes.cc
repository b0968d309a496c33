#include "cognito/user_writes.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/external_users.h"
#include "auth/password.h"
#include "cognito/code_delivery.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using directory::NameConflict;
using directory::OnAliasConflict;
using directory::User;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::cognito::AttributeType;
using model::cognito::CodeDeliveryDetailsType;

constexpr std::string_view kPreferredUsername = "preferred_username";
constexpr auto kVerifyAttribute = pb::PendingCode::VERIFY_ATTRIBUTE;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

bool IsAddress(std::string_view attribute) { return attribute == "email" || attribute == "phone_number"; }
std::string FlagOf(const std::string& attribute) { return attribute + "_verified"; }

// The attribute that a sign-in name of the pool is; InvalidParameterException if the name can be none.
ApiResult<std::string> AttributeOfSignInName(const pb::PoolRecord& pool, const std::string& name) {
  const bool email = Contains(pool.username_attributes(), "email");
  const bool phone = Contains(pool.username_attributes(), "phone_number");
  if (email && auth::IsEmailAddress(name)) return "email";
  if (phone && auth::IsPhoneNumber(name)) return "phone_number";
  if (email && phone) return Invalid("Username should be either an email or a phone number.");
  return Invalid(email ? "Username should be an email." : "Username should be a phone number.");
}

// A name must not look like an alias that may one day be somebody's.
ApiResult<void> CheckUsername(const pb::PoolRecord& pool, const std::string& name, std::string_view what = "Username") {
  const auto refuse = [&](std::string_view format) {
    return Invalid(
        fmt::format("{} cannot be of {} format, since user pool is configured for {} alias.", what, format, format));
  };
  if (Contains(pool.alias_attributes(), "email") && auth::IsEmailAddress(name)) return refuse("email");
  if (Contains(pool.alias_attributes(), "phone_number") && auth::IsPhoneNumber(name)) return refuse("phone number");
  return {};
}

// As an alias it is for confirmed users only, and must not look like an address that may one day be somebody's.
ApiResult<void> CheckPreferredUsername(const pb::PoolRecord& pool, const pb::UserRecord& user,
                                       const std::string& value) {
  if (!Contains(pool.alias_attributes(), kPreferredUsername)) return {};
  if (user.status() == pb::UNCONFIRMED) {
    return Invalid(
        "Preferred username cannot be provided for unconfirmed account, since user pool is configured for preferred "
        "username alias.");
  }
  return CheckUsername(pool, value, "Preferred username");
}

// Codes for a value that is no longer the user's are good for nothing.
void DropCodesOf(pb::UserRecord& user, std::string_view attribute) {
  for (const auto purpose :
       {pb::PendingCode::CONFIRM_SIGN_UP, pb::PendingCode::RESET_PASSWORD, pb::PendingCode::VERIFY_ATTRIBUTE}) {
    auth::DropCodes(user, purpose, attribute);
  }
}

ApiResult<CodeDeliveryDetailsType> SendVerification(Call& call, User& user, const pb::ClientRecord* client,
                                                    const Channel& channel) {
  if (client != nullptr) SYMBOLON_TRY_VOID(AdmitCodeRequest(call, kVerifyAttribute, user.key));
  return SendCode(call, user.record, kVerifyAttribute, channel, "UpdateUserAttribute");
}

// Sets an e-mail address or phone number that differs from the present one. `flag`: what the caller says of it.
ApiResult<std::optional<CodeDeliveryDetailsType>> ChangeAddress(Call& call, User& user, const pb::ClientRecord* client,
                                                                const Channel& to, std::optional<bool> flag) {
  const pb::PoolRecord& pool = call.pool();
  auto& attributes = *user.record.mutable_attributes();
  if (flag != true && Contains(pool.verify_before_update(), to.attribute)) {
    if (Contains(pool.username_attributes(), to.attribute)) {
      const auto holder = directory::FindUser(call.tx(), pool, to.value);
      if (holder && holder->key != user.key)
        return Fail(ErrorCode::kAliasExistsException,
                    fmt::format("An account with the {} already exists.", to.attribute));
    }
    // The present value stays until the code for the new one is redeemed.
    return SendVerification(call, user, client, to);
  }
  DropCodesOf(user.record, to.attribute);
  attributes[to.attribute] = to.value;
  attributes[FlagOf(to.attribute)] = flag == true ? "true" : "false";
  if (flag || !Contains(pool.auto_verified_attributes(), to.attribute)) return std::nullopt;
  return SendVerification(call, user, client, to);
}

}  // namespace

auth::AttributeValues ToValues(const std::optional<std::vector<AttributeType>>& attributes) {
  auth::AttributeValues values;
  if (!attributes) return values;
  for (const AttributeType& attribute : *attributes)
    values.insert_or_assign(attribute.Name, attribute.Value.value_or(""));
  return values;
}

ApiError ToApiError(const auth::AttributeError& error) {
  switch (error.code) {
    case auth::AttributeErrorCode::kUnauthorized:
      return {ErrorCode::kNotAuthorizedException, error.message};
    case auth::AttributeErrorCode::kInvalid:
      return {ErrorCode::kInvalidParameterException, error.message};
  }
  SYMBOLON_CHECK(false);
}

ApiResult<User> FindExistingUser(Call& call, const std::string& name) {
  auto user = directory::FindUser(call.tx(), call.pool(), name);
  if (!user) return Fail(ErrorCode::kUserNotFoundException, "User does not exist.");
  return *std::move(user);
}

ApiResult<User> FindKnownUser(Call& call, const std::string& name) {
  auto user = auth::FindKnownUser(call.tx(), call.pool(), name);
  if (!user) return Fail(ErrorCode::kUserNotFoundException, "User does not exist.");
  return *std::move(user);
}

ApiResult<void> RequireOwnCredentials(const pb::UserRecord& user) {
  if (!user.has_external()) return {};
  return Invalid(fmt::format("The user signs in at the identity provider {}, and has no credentials here.",
                             user.external().provider()));
}

ApiResult<User> MakeUser(Call& call, const pb::ClientRecord* client, const std::string& name,
                         auth::AttributeValues attributes) {
  const pb::PoolRecord& pool = call.pool();
  User user;
  user.record.set_sub(NewUuid(call.tx().random()));
  if (pool.username_attributes().empty()) {
    SYMBOLON_TRY_VOID(CheckUsername(pool, name));
    user.record.set_username(name);
  } else {
    SYMBOLON_TRY(const std::string attribute, AttributeOfSignInName(pool, name));
    std::string& value = attributes[attribute];
    if (value.empty()) value = name;
    if (directory::NormaliseName(pool, value) != directory::NormaliseName(pool, name))
      return Invalid(fmt::format("Username and {} differ.", attribute));
    user.record.set_username(user.record.sub());
  }
  user.key = directory::UserKeyOf(call.tx(), pool, user.record.username());
  user.record.set_status(client != nullptr ? pb::UNCONFIRMED : pb::FORCE_CHANGE_PASSWORD);
  user.record.set_enabled(true);
  user.record.set_created_micros(ToMicros(call.now()));
  user.record.set_modified_micros(ToMicros(call.now()));

  auto stored = auth::CheckNewAttributes(pool, client, attributes);
  if (!stored) return Err(ToApiError(stored.error()));
  for (auto& [attribute, value] : *stored) (*user.record.mutable_attributes())[attribute] = std::move(value);
  auto& own = *user.record.mutable_attributes();
  for (const char* address : {"email", "phone_number"}) {
    if (own.contains(address) && !own.contains(FlagOf(address))) own[FlagOf(address)] = "false";
  }
  if (const auto preferred = own.find(std::string(kPreferredUsername)); preferred != own.end())
    SYMBOLON_TRY_VOID(CheckPreferredUsername(pool, user.record, preferred->second));
  return user;
}

ApiResult<void> StoreNewUser(Call& call, const User& user, OnAliasConflict on_conflict) {
  const auto stored = directory::InsertUser(call.tx(), call.pool(), user, on_conflict);
  if (stored) return {};
  if (stored.error().attribute == "username") return Fail(ErrorCode::kUsernameExistsException, "User already exists");
  return Fail(ErrorCode::kUsernameExistsException,
              fmt::format("An account with the given {} already exists.", stored.error().attribute));
}

ApiResult<void> StoreUser(Call& call, const pb::UserRecord& before, User& user, OnAliasConflict on_conflict) {
  user.record.set_modified_micros(ToMicros(call.now()));
  const auto stored = directory::UpdateUser(call.tx(), call.pool(), before, user, on_conflict);
  if (stored) return {};
  return Fail(ErrorCode::kAliasExistsException,
              fmt::format("An account with the {} already exists.", stored.error().attribute));
}

ApiResult<std::vector<CodeDeliveryDetailsType>> ChangeAttributes(Call& call, User user, const pb::ClientRecord* client,
                                                                 const auth::AttributeValues& changes) {
  const auto checked = auth::CheckAttributeChanges(call.pool(), client, user.record, changes);
  if (!checked) return Err(ToApiError(checked.error()));
  const pb::UserRecord before = user.record;
  auto& attributes = *user.record.mutable_attributes();
  std::vector<CodeDeliveryDetailsType> sent;

  const auto changes_address = [&](const std::string& name) {
    const auto change = checked->find(name);
    if (change == checked->end()) return false;
    const auto present = before.attributes().find(name);
    return present == before.attributes().end() || present->second != change->second;
  };
  for (const auto& [name, value] : *checked) {
    // A flag beside a changed address speaks of the new one.
    if (IsAddress(name) || (name == "email_verified" && changes_address("email")) ||
        (name == "phone_number_verified" && changes_address("phone_number"))) {
      continue;
    }
    if (name == kPreferredUsername && !value.empty())
      SYMBOLON_TRY_VOID(CheckPreferredUsername(call.pool(), user.record, value));
    if (value.empty()) {
      attributes.erase(name);
    } else {
      attributes[name] = value;
    }
  }
  for (const std::string name : {"email", "phone_number"}) {
    if (!changes_address(name)) continue;
    const std::string& value = checked->at(name);
    if (value.empty()) {
      attributes.erase(name);
      attributes.erase(FlagOf(name));
      DropCodesOf(user.record, name);
      continue;
    }
    const auto flag = checked->find(FlagOf(name));
    const std::optional<bool> said = flag == checked->end() ? std::nullopt : std::optional(flag->second == "true");
    SYMBOLON_TRY(auto details, ChangeAddress(call, user, client, {.attribute = name, .value = value}, said));
    if (details) sent.push_back(*std::move(details));
  }
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return sent;
}

ApiResult<void> CheckPasswordPolicy(const Call& call, std::string_view password) {
  if (const auto breach = auth::FindPolicyBreach(call.pool().password_policy(), password))
    return Fail(ErrorCode::kInvalidPasswordException, auth::MessageOf(*breach));
  return {};
}

void RevokeTokens(pb::UserRecord& user) { user.set_token_generation(user.token_generation() + 1); }

}  // namespace symbolon::cognito
