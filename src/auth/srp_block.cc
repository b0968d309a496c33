#include "auth/srp_block.h"

#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <vector>

#include "auth/facts.h"
#include "auth/session.h"
#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::PasswordVerifier;

// How far the client's clock may be off, either way.
constexpr std::chrono::minutes kTimestampTolerance{5};
constexpr std::size_t kSecretBlockBytesMax = 4 * 1024;

// The value in whose making the server spends its time, once for all attempts at the plan.
const crypto::SrpEphemeral& EphemeralOf(const Context& context) {
  return *context.env.Once<std::shared_ptr<crypto::SrpEphemeral>>("srp ephemeral", [&] {
    return std::make_shared<crypto::SrpEphemeral>(crypto::SrpEphemeral::Generate(context.env.random()));
  });
}

const Secret& SessionKeyOf(const Context& context, const OpenedBlock& opened,
                           const crypto::SrpClientPublicKey& client_public_key, const PasswordVerifier& verifier) {
  const pb::SrpBlock& block = opened.block;
  return *context.env.Once<std::shared_ptr<Secret>>(
      "srp session key:" + block.id() + crypto::Sha256(verifier.verifier()), [&] {
        return std::make_shared<Secret>(
            crypto::SrpSessionKey(client_public_key, block.server_public_key(), opened.b.view(), verifier.verifier()));
      });
}

AuthResult<OpenedBlock> Unseal(const Context& context, const ClientRecord& client, std::string_view text) {
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

}  // namespace

AuthResult<crypto::SrpClientPublicKey> ParseSrpA(std::string_view srp_a) {
  auto client_public_key = crypto::SrpClientPublicKey::FromHex(srp_a);
  if (!client_public_key) return Fail(AuthErrorCode::kInvalidParameter, "Invalid parameter SRP_A");
  return *std::move(client_public_key);
}

Parameters ChallengeBySrp(const Context& context, const ClientRecord& client,
                          const crypto::SrpClientPublicKey& client_public_key, const PasswordVerifier& verifier,
                          pb::SrpBlock block) {
  const crypto::SrpEphemeral& ephemeral = EphemeralOf(context);
  const Bytes server_public_key = crypto::SrpServerPublicKey(ephemeral, verifier.verifier());
  block.set_client_public_key(client_public_key.octets());
  block.set_server_public_key(server_public_key);
  block.set_secret(Bytes(ephemeral.b().view()));
  block.set_created_micros(ToMicros(context.now()));
  Bytes plain = block.SerializeAsString();
  const Bytes sealed =
      context.tx.keys().SealToken(keys::TokenPurpose::kSrpBlock, client.client_id(), plain, context.env.random());
  Wipe(plain.data(), plain.size());
  Wipe(block.mutable_secret()->data(), block.secret().size());
  return {{"SALT", crypto::CanonicalHex(verifier.salt())},
          {"SRP_B", crypto::CanonicalHex(server_public_key)},
          {"SECRET_BLOCK", Base64Encode(sealed)}};
}

AuthResult<SrpClaim> SrpClaimOf(const Parameters& responses) {
  SrpClaim claim;
  SYMBOLON_TRY(claim.secret_block, Require(responses, "PASSWORD_CLAIM_SECRET_BLOCK"));
  SYMBOLON_TRY(claim.signature, Require(responses, "PASSWORD_CLAIM_SIGNATURE"));
  SYMBOLON_TRY(claim.timestamp, Require(responses, "TIMESTAMP"));
  return claim;
}

AuthResult<OpenedBlock> OpenSrpBlock(const Context& context, const ClientRecord& client, const SrpClaim& claim) {
  SYMBOLON_TRY(OpenedBlock opened, Unseal(context, client, claim.secret_block));
  if (FromMicros(opened.block.expires_micros()) <= context.now()) return Err(ExpiredSession());
  SYMBOLON_TRY_VOID(CheckTimestamp(context, opened.block, claim.timestamp));
  if (WasUsed(context.tx, opened.block.id())) return Err(UsedSession());
  return opened;
}

bool ProofIsRight(const Context& context, const OpenedBlock& opened, std::string_view group,
                  const PasswordVerifier& verifier, const SrpClaim& claim) {
  const pb::SrpBlock& block = opened.block;
  const auto client_public_key = crypto::SrpClientPublicKey::FromOctets(block.client_public_key());
  if (!client_public_key) return false;
  const Secret& session_key = SessionKeyOf(context, opened, *client_public_key, verifier);
  const crypto::SrpIdentity identity{.pool_name = group, .user_id = block.user_id()};
  const Bytes expected = crypto::SrpClaimSignature(session_key.view(), identity, opened.octets, claim.timestamp);
  const auto claimed = Base64Decode(claim.signature);
  return claimed && crypto::EqualSecrets(expected, *claimed);
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
