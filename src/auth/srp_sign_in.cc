#include "auth/srp_sign_in.h"

#include "auth/counting_key.h"
#include "auth/derived_uuid.h"
#include "auth/lockout.h"
#include "auth/proven_user.h"
#include "auth/session.h"
#include "auth/srp_block.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/srp.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::PasswordVerifier;
using directory::pb::UserRecord;

// What a name without a password is challenged with: the same at every attempt and in every Region, so that nothing
// tells it from a user (RFC 5054 §2.5.1.3). Nobody knows a password for it.
PasswordVerifier Decoy(const directory::Transaction& tx, BytesView name_key) {
  PasswordVerifier decoy;
  Bytes salt = tx.keys().Derive("srp decoy salt", name_key).substr(0, crypto::kSrpSaltBytes);
  if (salt[0] == '\0') salt[0] = '\1';
  decoy.set_salt(salt);
  const Secret verifier =
      crypto::HkdfSha256Expand(tx.keys().Derive("srp decoy verifier", name_key), "", crypto::kSrpVerifierBytes);
  decoy.set_verifier(Bytes(verifier.view()));
  (*decoy.mutable_verifier())[0] = '\0';  // below the group's prime
  return decoy;
}

bool NamesAreAddresses(const directory::pb::PoolRecord& pool) { return !pool.username_attributes().empty(); }

// USER_ID_FOR_SRP of nobody. Where users get UUIDs for names, a UUID; where they choose their names, the name that was
// asked for, because that is what it would be.
std::string DecoyUserId(const Context& context, std::string_view username, BytesView name_key) {
  const bool looks_like_alias = username.find('@') != std::string_view::npos || username.starts_with('+');
  const bool has_aliases = !context.pool.alias_attributes().empty();
  if (!NamesAreAddresses(context.pool) && !(has_aliases && looks_like_alias)) return std::string(username);
  return DerivedUuid(context.tx.keys(), "srp decoy user id", name_key);
}

}  // namespace

AuthResult<SignInStep> StartSrp(const Context& context, const ClientRecord& client, const Parameters& parameters) {
  SYMBOLON_TRY(const std::string_view username, Require(parameters, "USERNAME"));
  SYMBOLON_TRY(const std::string_view srp_a, Require(parameters, "SRP_A"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, parameters, username));
  SYMBOLON_TRY(const auto client_public_key, ParseSrpA(srp_a));

  const auto user = directory::FindUser(context.tx, context.pool, username);
  if (!user && !client.prevent_user_existence_errors()) {
    return Fail(AuthErrorCode::kUserNotFound, "User does not exist.");
  }
  const Bytes name_key = user ? user->key : directory::UserKeyOf(context.tx, context.pool, username);
  const PasswordVerifier decoy = Decoy(context.tx, name_key);
  const PasswordVerifier& password = user && user->record.has_password() ? user->record.password() : decoy;

  pb::SrpBlock block;
  block.set_id(NewUuid(context.env.random()));
  block.set_user_key(name_key);
  block.set_user_id(user ? user->record.username() : DecoyUserId(context, username, name_key));
  block.set_expires_micros(ToMicros(context.now() + SessionValidity(client)));
  const std::string user_id = block.user_id();
  Parameters challenge = ChallengeBySrp(context, client, client_public_key, password, std::move(block));
  challenge.emplace("USERNAME", user_id);
  challenge.emplace("USER_ID_FOR_SRP", user_id);
  return Challenge{
      .name = ChallengeName::kPasswordVerifier, .parameters = std::move(challenge), .session = std::nullopt};
}

AuthResult<SignInStep> AnswerPasswordVerifier(const Context& context, const ClientRecord& client, Door door,
                                              const Parameters& responses) {
  // 1. The client.
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const SrpClaim claim, SrpClaimOf(responses));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));

  // 2. The challenge that this answers, once.
  SYMBOLON_TRY(const OpenedBlock opened, OpenSrpBlock(context, client, claim));
  const pb::SrpBlock& block = opened.block;
  if (block.has_session()) return Err(InvalidSession());
  const OneTime used{.id = block.id(), .expires_at = FromMicros(block.expires_micros())};

  // 3. The proof, under the password as it is now.
  const auto user = directory::GetUser(context.tx, block.user_key());
  const Bytes counting_key = user ? user->key : CountingKeyOfNobody(context.tx, block.user_key());
  if (IsLockedOut(context.tx, counting_key, context.now())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Password attempts exceeded");
  }
  const bool has_password = user && user->record.has_password() && user->record.username() == block.user_id();
  const PasswordVerifier decoy = Decoy(context.tx, block.user_key());
  const bool is_right =
      ProofIsRight(context, opened, PoolName(context.tx.pool()), has_password ? user->record.password() : decoy, claim);
  if (!is_right || !has_password) {
    MarkUsed(context.tx, context.region(), used.id, used.expires_at);
    CountFailedAttempt(context.tx, context.region(), counting_key, context.now());
    return FailKeepingChanges(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");
  }

  // 4. The user.
  const auto named = directory::FindUser(context.tx, context.pool, username);
  if (!named || named->key != user->key) {
    return Fail(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");
  }
  return ContinueProven(context, client, *user, used, DeviceOf(context, door, responses));
}

}  // namespace symbolon::auth
