#include "auth/srp_sign_in.h"

#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <vector>

#include "auth/counting_key.h"
#include "auth/derived_uuid.h"
#include "auth/lockout.h"
#include "auth/proven_user.h"
#include "auth/session.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/srp.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::PasswordVerifier;
using directory::pb::UserRecord;

// How far the client's clock may be off, either way.
constexpr std::chrono::minutes kTimestampTolerance{5};
constexpr std::size_t kSecretBlockBytesMax = 4 * 1024;

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

crypto::SrpIdentity IdentityOf(const Context& context, const std::string& user_id) {
  return {.pool_name = PoolName(context.tx.pool()), .user_id = user_id};
}

// The value in whose making the server spends its time, once for all attempts at the plan.
const crypto::SrpEphemeral& EphemeralOf(const Context& context) {
  return *context.env.Once<std::shared_ptr<crypto::SrpEphemeral>>("srp ephemeral", [&] {
    return std::make_shared<crypto::SrpEphemeral>(crypto::SrpEphemeral::Generate(context.env.random()));
  });
}

struct OpenedBlock {
  pb::SrpBlock block;
  // Taken out of it.
  Secret b;
  // As sent, still sealed: what the proof is over.
  Bytes octets;
};

const Secret& SessionKeyOf(const Context& context, const OpenedBlock& opened,
                           const crypto::SrpClientPublicKey& client_public_key, const PasswordVerifier& password) {
  const pb::SrpBlock& block = opened.block;
  return *context.env.Once<std::shared_ptr<Secret>>(
      "srp session key:" + block.id() + crypto::Sha256(password.verifier()), [&] {
        return std::make_shared<Secret>(
            crypto::SrpSessionKey(client_public_key, block.server_public_key(), opened.b.view(), password.verifier()));
      });
}

AuthResult<OpenedBlock> OpenBlock(const Context& context, const ClientRecord& client, std::string_view text) {
  if (text.size() > kSecretBlockBytesMax) return Err(InvalidSession());
  auto octets = Base64Decode(text);
  if (!octets) return Err(InvalidSession());
  auto opened = context.tx.keys().OpenToken(keys::TokenPurpose::kSrpBlock, client.client_id(), *octets);
  pb::SrpBlock block;
  const bool parsed = opened && block.ParseFromString(*opened);
  if (opened) Wipe(opened->data(), opened->size());
  if (!parsed) return Err(InvalidSession());
  Secret b = Secret::CopyOf(block.secret());
  Wipe(block.mutable_secret()->data(), block.secret().size());
  return OpenedBlock{.block = std::move(block), .b = std::move(b), .octets = *std::move(octets)};
}

// The client's clock as its proof states it, near ours and not from before the challenge.
AuthResult<void> CheckTimestamp(const Context& context, const pb::SrpBlock& block, std::string_view text) {
  const auto timestamp = ParseClaimTimestamp(text);
  if (!timestamp) {
    return Fail(AuthErrorCode::kInvalidParameter, "TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.");
  }
  if (*timestamp > context.now() + kTimestampTolerance ||
      *timestamp < FromMicros(block.created_micros()) - kTimestampTolerance) {
    return Fail(AuthErrorCode::kNotAuthorized, "TIMESTAMP is too far from the present time.");
  }
  return {};
}

// Whether the client knew the password that the verifier was made of. Takes its time for nobody as well.
bool ProofIsRight(const Context& context, const OpenedBlock& opened, const PasswordVerifier& password,
                  std::string_view signature, std::string_view timestamp) {
  const pb::SrpBlock& block = opened.block;
  const auto client_public_key = crypto::SrpClientPublicKey::FromOctets(block.client_public_key());
  if (!client_public_key) return false;
  const Secret& session_key = SessionKeyOf(context, opened, *client_public_key, password);
  const Bytes expected =
      crypto::SrpClaimSignature(session_key.view(), IdentityOf(context, block.user_id()), opened.octets, timestamp);
  const auto claimed = Base64Decode(signature);
  return claimed && crypto::EqualSecrets(expected, *claimed);
}

}  // namespace

AuthResult<SignInStep> StartSrp(const Context& context, const ClientRecord& client, const Parameters& parameters) {
  SYMBOLON_TRY(const std::string_view username, Require(parameters, "USERNAME"));
  SYMBOLON_TRY(const std::string_view srp_a, Require(parameters, "SRP_A"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, parameters, username));
  const auto client_public_key = crypto::SrpClientPublicKey::FromHex(srp_a);
  if (!client_public_key) return Fail(AuthErrorCode::kInvalidParameter, "Invalid parameter SRP_A");

  const auto user = directory::FindUser(context.tx, context.pool, username);
  if (!user && !client.prevent_user_existence_errors()) {
    return Fail(AuthErrorCode::kUserNotFound, "User does not exist.");
  }
  const Bytes name_key = user ? user->key : directory::UserKeyOf(context.tx, context.pool, username);
  const PasswordVerifier decoy = Decoy(context.tx, name_key);
  const PasswordVerifier& password = user && user->record.has_password() ? user->record.password() : decoy;
  const crypto::SrpEphemeral& ephemeral = EphemeralOf(context);
  const Bytes server_public_key = crypto::SrpServerPublicKey(ephemeral, password.verifier());

  pb::SrpBlock block;
  block.set_id(NewUuid(context.env.random()));
  block.set_user_key(name_key);
  block.set_user_id(user ? user->record.username() : DecoyUserId(context, username, name_key));
  block.set_client_public_key(client_public_key->octets());
  block.set_server_public_key(server_public_key);
  block.set_secret(Bytes(ephemeral.b().view()));
  block.set_created_micros(ToMicros(context.now()));
  block.set_expires_micros(ToMicros(context.now() + SessionValidity(client)));
  Bytes plain = block.SerializeAsString();
  const Bytes sealed =
      context.tx.keys().SealToken(keys::TokenPurpose::kSrpBlock, client.client_id(), plain, context.env.random());
  Wipe(plain.data(), plain.size());
  Wipe(block.mutable_secret()->data(), block.secret().size());

  return Challenge{.name = ChallengeName::kPasswordVerifier,
                   .parameters = {{"SALT", crypto::CanonicalHex(password.salt())},
                                  {"SRP_B", crypto::CanonicalHex(server_public_key)},
                                  {"SECRET_BLOCK", Base64Encode(sealed)},
                                  {"USERNAME", block.user_id()},
                                  {"USER_ID_FOR_SRP", block.user_id()}},
                   .session = std::nullopt};
}

AuthResult<SignInStep> AnswerPasswordVerifier(const Context& context, const ClientRecord& client,
                                              const Parameters& responses) {
  // 1. The client.
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const std::string_view secret_block, Require(responses, "PASSWORD_CLAIM_SECRET_BLOCK"));
  SYMBOLON_TRY(const std::string_view signature, Require(responses, "PASSWORD_CLAIM_SIGNATURE"));
  SYMBOLON_TRY(const std::string_view timestamp, Require(responses, "TIMESTAMP"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));

  // 2. The challenge that this answers, once.
  SYMBOLON_TRY(const OpenedBlock opened, OpenBlock(context, client, secret_block));
  const pb::SrpBlock& block = opened.block;
  if (FromMicros(block.expires_micros()) <= context.now()) return Err(ExpiredSession());
  SYMBOLON_TRY_VOID(CheckTimestamp(context, block, timestamp));
  if (WasUsed(context.tx, block.id())) return Err(UsedSession());
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
      ProofIsRight(context, opened, has_password ? user->record.password() : decoy, signature, timestamp);
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
  return ContinueProven(context, client, *user, used);
}

std::optional<Timestamp> ParseClaimTimestamp(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                        "jul", "aug", "sep", "oct", "nov", "dec"};
  constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  constexpr std::size_t kBytesMax = 64;
  if (text.size() > kBytesMax) return std::nullopt;

  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ' || c == ':') {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back().push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
  }
  if (words.back().empty()) words.pop_back();
  // day month number hour minute second zone year
  if (words.size() != 8) return std::nullopt;
  const auto number = [](const std::string& word) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || word.size() > 4 || value < 0) return std::nullopt;
    return value;
  };
  const auto month = std::ranges::find(kMonths, words[1]);
  const auto day = number(words[2]), hour = number(words[3]), minute = number(words[4]), second = number(words[5]),
             year = number(words[7]);
  if (std::ranges::find(kDays, words[0]) == kDays.end() || month == kMonths.end() ||
      (words[6] != "utc" && words[6] != "gmt") || !day || !hour || !minute || !second || !year || *hour > 23 ||
      *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace symbolon::auth
