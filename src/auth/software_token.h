// A user's software token: the secret that an authenticator app shares, whose codes (crypto/totp.h) are a second
// factor. A user has one at the most. A new secret waits until a code has proved it, and takes an earlier one's place
// then.
//
// A code is good for one use in its step of 30 seconds and in the one before and after it, so that clocks may differ by
// as much. That a step was used is a fact, of the kind that families of tokens have (facts.h): a step that two cut-off
// Regions both accept makes one family with two births, which counts as revoked when they meet.
//
// Functions work on one attempt at a plan; those that change a user store the record, so only the primary can.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/context.h"
#include "auth/error.h"
#include "auth/proven_user.h"
#include "directory/users.h"

namespace symbolon::auth {

// 52 characters of Base32, and more than the 20 octets that RFC 4226 recommends.
inline constexpr std::size_t kSoftwareTokenSecretBytes = 32;
// Steps before and after the present one (RFC 6238 §5.2).
inline constexpr std::uint64_t kTotpWindowSteps = 1;
inline constexpr std::size_t kDeviceNameBytesMax = 256;

bool HasSoftwareToken(const directory::pb::UserRecord& user);

// Gives the user a new secret, which waits for its proof, and answers it in Base32. Errors: kSoftwareTokenMfaNotFound
// in a pool without MFA by software tokens.
AuthResult<std::string> AssociateSoftwareToken(const Context& context, directory::User& user);

// A code proves the waiting secret, which becomes the user's token. Errors: kEnableSoftwareTokenMfa for a wrong or used
// code, kInvalidParameter for a name of more than kDeviceNameBytesMax, kSoftwareTokenMfaNotFound when nothing waits.
AuthResult<void> VerifySoftwareToken(const Context& context, directory::User& user, std::string_view code,
                                     std::string_view device_name);

// Whether the user is asked for codes where the pool leaves that to users. Without a token: only for `enabled` false.
// Errors: kInvalidParameter.
AuthResult<void> PreferSoftwareToken(const Context& context, directory::User& user, bool enabled, bool preferred);

// Takes the token and a waiting secret away; the user may have neither.
void DeleteSoftwareToken(const Context& context, directory::User& user);

// The unused step of the user's token that the code stands for; the caller marks it as used. Errors: kCodeMismatch,
// kExpiredCode when it was used, kSoftwareTokenMfaNotFound.
AuthResult<OneTime> RedeemTotp(const Context& context, const directory::pb::UserRecord& user, std::string_view code);

}  // namespace symbolon::auth
