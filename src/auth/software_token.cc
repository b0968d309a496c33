#include "auth/software_token.h"

#include <fmt/format.h>

#include <optional>

#include "auth/derived_uuid.h"
#include "auth/facts.h"
#include "base/base32.h"
#include "base/secret.h"
#include "crypto/totp.h"

namespace symbolon::auth {
namespace {

using directory::User;
using directory::pb::SoftwareToken;
using directory::pb::UserRecord;

// What a code stands for, if it is right: its step, named after the secret, so that a new secret has steps of its own.
struct Match {
  bool is_right = false;
  // nullopt: the step was used.
  std::optional<OneTime> unused;
};

Match MatchCode(const Context& context, const SoftwareToken& token, std::string_view code) {
  Match match;
  for (const std::uint64_t step : crypto::MatchTotp(token.secret(), code, context.now(), kTotpWindowSteps)) {
    match.is_right = true;
    Bytes about = token.secret();
    AppendBigEndian64(about, step);
    std::string id = DerivedUuid(context.tx.keys(), "totp step", about);
    Wipe(about.data(), about.size());
    if (WasUsed(context.tx, id)) continue;
    match.unused = OneTime{.id = std::move(id), .expires_at = crypto::TotpStepBegin(step + kTotpWindowSteps + 1)};
    break;
  }
  return match;
}

// No name of the user changes, so none can be in conflict.
void Store(const Context& context, const UserRecord& before, User& user) {
  user.record.set_modified_micros(ToMicros(context.now()));
  SYMBOLON_CHECK(
      directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse).has_value());
}

auto NoToken() {
  return Fail(AuthErrorCode::kSoftwareTokenMfaNotFound, "Software Token MFA does not exist for the user.");
}

}  // namespace

bool HasSoftwareToken(const UserRecord& user) { return user.has_software_token(); }

AuthResult<std::string> AssociateSoftwareToken(const Context& context, User& user) {
  if (!context.pool.software_token_mfa()) {
    return Fail(AuthErrorCode::kSoftwareTokenMfaNotFound, "Software Token MFA has not been enabled by the userPool.");
  }
  const UserRecord before = user.record;
  SoftwareToken& pending = *user.record.mutable_pending_software_token();
  pending.Clear();
  pending.set_secret(context.env.random().Octets(kSoftwareTokenSecretBytes));
  Store(context, before, user);
  return Base32Encode(pending.secret());
}

AuthResult<void> VerifySoftwareToken(const Context& context, User& user, std::string_view code,
                                     std::string_view device_name) {
  if (device_name.size() > kDeviceNameBytesMax) {
    return Fail(AuthErrorCode::kInvalidParameter,
                fmt::format("FriendlyDeviceName is longer than {} octets.", kDeviceNameBytesMax));
  }
  if (!user.record.has_pending_software_token()) return NoToken();
  const Match match = MatchCode(context, user.record.pending_software_token(), code);
  if (!match.unused) {
    return Fail(AuthErrorCode::kEnableSoftwareTokenMfa, "Code mismatch and fail enable Software Token MFA");
  }
  MarkUsed(context.tx, context.region(), match.unused->id, match.unused->expires_at);
  const UserRecord before = user.record;
  user.record.mutable_software_token()->Swap(user.record.mutable_pending_software_token());
  user.record.clear_pending_software_token();
  user.record.mutable_software_token()->set_device_name(std::string(device_name));
  Store(context, before, user);
  return {};
}

AuthResult<void> PreferSoftwareToken(const Context& context, User& user, bool enabled, bool preferred) {
  if (preferred && !enabled) {
    return Fail(AuthErrorCode::kInvalidParameter, "SOFTWARE_TOKEN_MFA must be enabled to be preferred.");
  }
  if (enabled && !HasSoftwareToken(user.record)) {
    return Fail(AuthErrorCode::kInvalidParameter,
                "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA");
  }
  if (user.record.software_token_enabled() == enabled && user.record.software_token_preferred() == preferred) return {};
  const UserRecord before = user.record;
  user.record.set_software_token_enabled(enabled);
  user.record.set_software_token_preferred(preferred);
  Store(context, before, user);
  return {};
}

void DeleteSoftwareToken(const Context& context, User& user) {
  if (!HasSoftwareToken(user.record) && !user.record.has_pending_software_token()) return;
  const UserRecord before = user.record;
  user.record.clear_software_token();
  user.record.clear_pending_software_token();
  user.record.clear_software_token_enabled();
  user.record.clear_software_token_preferred();
  Store(context, before, user);
}

AuthResult<OneTime> RedeemTotp(const Context& context, const UserRecord& user, std::string_view code) {
  if (!HasSoftwareToken(user)) return NoToken();
  Match match = MatchCode(context, user.software_token(), code);
  if (!match.is_right) return Fail(AuthErrorCode::kCodeMismatch, "Invalid code received for user");
  if (!match.unused) return Fail(AuthErrorCode::kExpiredCode, "Your software token has already been used once.");
  return *std::move(match.unused);
}

}  // namespace symbolon::auth
