#include "auth/srp_sign_in.h"

#include <gtest/gtest.h>

#include <regex>

#include "auth/access_tokens.h"
#include "auth/secret_hash.h"
#include "auth/srp_block.h"
#include "auth/srp_test_client.h"
#include "auth/test_user.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::UserRecord;
using std::chrono::microseconds;
using std::chrono::minutes;

// ManualClock's start.
constexpr std::string_view kNow = "Fri Jan 15 08:00:00 UTC 2027";

class SrpSignInTest : public testing::Test {
 protected:
  SrpSignInTest() { MakeTestPool(region_); }

  AuthResult<SignInStep> Start(const Parameters& parameters) { return StartIn(region_, parameters); }
  AuthResult<SignInStep> StartIn(TestRegion& region, const Parameters& parameters) {
    return region.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(region), Flow::kUserSrp, Door::kPublic, parameters);
    });
  }
  Parameters ChallengeFor(std::string_view username = kTestUsername) {
    return std::get<Challenge>(Start({{"USERNAME", std::string(username)}, {"SRP_A", client_.PublicKeyHex()}}).value())
        .parameters;
  }
  AuthResult<SignInStep> Answer(const Parameters& responses) { return AnswerIn(region_, responses); }
  AuthResult<SignInStep> AnswerIn(TestRegion& region, const Parameters& responses) {
    return region.Run<SignInStep>([&](const Context& context) {
      return AnswerChallenge(context, TestClient(region), ChallengeName::kPasswordVerifier, std::nullopt, responses);
    });
  }
  AuthResult<SignInStep> SignIn(std::string_view username = kTestUsername) {
    return Answer(client_.Answer(ChallengeFor(username), kNow));
  }
  // A secret block with the same content for another client, purpose or content.
  std::string Reseal(const std::string& block, keys::TokenPurpose purpose, std::string_view client) {
    return region_.See([&](const Context& context) {
      const auto& keys = context.tx.keys();
      const auto plain = keys.OpenToken(keys::TokenPurpose::kSrpBlock, kTestClient, *Base64Decode(block));
      return Base64Encode(keys.SealToken(purpose, client, *plain, context.env.random()));
    });
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
  SrpTestClient client_{.pool_name = "TestPool1", .password = std::string(kTestPassword)};
};

auto IsTokens = [](const AuthResult<SignInStep>& step) { return step && std::holds_alternative<Tokens>(*step); };

TEST_F(SrpSignInTest, ProofGetsTokens) {
  const Parameters challenge = ChallengeFor();
  EXPECT_FALSE(region_.last_wrote());
  EXPECT_EQ(challenge.at("USERNAME"), "alice");
  EXPECT_EQ(challenge.at("USER_ID_FOR_SRP"), "alice");
  EXPECT_TRUE(std::regex_match(challenge.at("SALT"), std::regex("[1-9a-f][0-9a-f]{30,31}")));
  EXPECT_TRUE(std::regex_match(challenge.at("SRP_B"), std::regex("[1-9a-f][0-9a-f]{700,767}")));
  const auto step = Answer(client_.Answer(challenge, kNow));
  ASSERT_TRUE(IsTokens(step));
  EXPECT_TRUE(std::get<Tokens>(*step).refresh_token);
}

TEST_F(SrpSignInTest, WrongPasswordIsCountedAndUsesTheChallengeUp) {
  SrpTestClient guesser = client_;
  guesser.password = "wrong";
  const Parameters challenge = ChallengeFor();
  const auto refused = Answer(guesser.Answer(challenge, kNow));
  EXPECT_EQ(refused.error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(refused.error().message, "Incorrect username or password.");
  EXPECT_TRUE(region_.last_wrote());
  EXPECT_EQ(Answer(client_.Answer(challenge, kNow)).error().message,
            "Invalid session for the user, session can only be used once.");
  for (int i = 0; i < 4; ++i) (void)Answer(guesser.Answer(ChallengeFor(), kNow));
  EXPECT_EQ(Answer(client_.Answer(ChallengeFor(), kNow)).error().message, "Password attempts exceeded");
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(IsTokens(Answer(client_.Answer(ChallengeFor(), "Fri Jan 15 08:00:01 UTC 2027"))));
}

TEST_F(SrpSignInTest, ReplayIsRefused) {
  const Parameters answer = client_.Answer(ChallengeFor(), kNow);
  EXPECT_TRUE(IsTokens(Answer(answer)));
  EXPECT_EQ(Answer(answer).error().message, "Invalid session for the user, session can only be used once.");
}

TEST_F(SrpSignInTest, ReplayInACutOffRegionRevokesBothWhenTheyMeet) {
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Parameters answer = client_.Answer(ChallengeFor(), kNow);
  const auto first = AnswerIn(region_, answer), second = AnswerIn(other, answer);
  ASSERT_TRUE(IsTokens(first) && IsTokens(second)) << "once per Region at the worst";
  AccessTokenVerifier verifier;
  const auto is_live = [&](TestRegion& region, const AuthResult<SignInStep>& step) {
    const auto presented = verifier.Present(std::get<Tokens>(*step).access_token);
    const auto claims = verifier.Verify(*presented, TestPublicRecord(region), region.settings(), clock_.Now()).value();
    return region.See([&](const Context& context) { return CheckSignedIn(context.tx, context.pool, *claims); })
        .has_value();
  };
  EXPECT_TRUE(is_live(region_, first));
  EXPECT_TRUE(is_live(other, second));
  other.MergeFactsOf(region_);
  region_.MergeFactsOf(other);
  for (const auto* step : {&first, &second}) {
    EXPECT_FALSE(is_live(region_, *step));
    EXPECT_FALSE(is_live(other, *step));
  }
  EXPECT_TRUE(IsTokens(SignIn())) << "the user goes on";
}

TEST_F(SrpSignInTest, ChallengeOfOneRegionIsAnsweredInAnother) {
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Parameters answer = client_.Answer(ChallengeFor(), kNow);
  EXPECT_TRUE(IsTokens(AnswerIn(other, answer)));
  region_.MergeFactsOf(other);
  EXPECT_FALSE(Answer(answer));
}

TEST_F(SrpSignInTest, SecretBlockIsItsClientsAndOnlyThat) {
  const Parameters good = client_.Answer(ChallengeFor(), kNow);
  const auto with_block = [&](const std::string& block) {
    Parameters answer = good;
    answer["PASSWORD_CLAIM_SECRET_BLOCK"] = block;
    return Answer(answer).error().message;
  };
  const std::string block = good.at("PASSWORD_CLAIM_SECRET_BLOCK");
  EXPECT_EQ(with_block(Reseal(block, keys::TokenPurpose::kSrpBlock, "another")), "Invalid session for the user.");
  EXPECT_EQ(with_block(Reseal(block, keys::TokenPurpose::kSession, kTestClient)), "Invalid session for the user.");
  EXPECT_EQ(with_block("AAAA"), "Invalid session for the user.");
  EXPECT_EQ(with_block("not base64!"), "Invalid session for the user.");
  EXPECT_EQ(with_block(std::string(20'000, 'A')), "Invalid session for the user.");
  for (std::size_t at = 0; at < block.size() - 2; at += 29) {
    std::string altered = block;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(with_block(altered), "Invalid session for the user.") << at;
  }
  // Sealed anew the proof does not fit: it is over the block's octets.
  EXPECT_EQ(with_block(Reseal(block, keys::TokenPurpose::kSrpBlock, kTestClient)), "Incorrect username or password.");
}

TEST_F(SrpSignInTest, ChallengeExpiresWithTheSession) {
  const Parameters challenge = ChallengeFor();
  clock_.Advance(minutes(3) - microseconds(1));
  const std::string later = "Fri Jan 15 08:03:00 UTC 2027";
  EXPECT_TRUE(IsTokens(Answer(client_.Answer(challenge, later))));
  const Parameters stale = ChallengeFor();
  clock_.Advance(minutes(3));
  EXPECT_EQ(Answer(client_.Answer(stale, later)).error().message, "Invalid session for the user, session is expired.");
}

TEST_F(SrpSignInTest, TimestampIsNearAndPartOfTheProof) {
  const auto with = [&](const char* timestamp) { return Answer(client_.Answer(ChallengeFor(), timestamp)); };
  EXPECT_TRUE(IsTokens(with("Fri Jan 15 08:05:00 UTC 2027")));
  EXPECT_TRUE(IsTokens(with("Fri Jan 15 07:55:00 UTC 2027")));
  EXPECT_EQ(with("Fri Jan 15 08:05:01 UTC 2027").error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(with("Fri Jan 15 07:54:59 UTC 2027").error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(with("2027-01-15T08:00:00Z").error().message,
            "TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.");
  Parameters answer = client_.Answer(ChallengeFor(), kNow);
  answer["TIMESTAMP"] = "Fri Jan 15 08:00:01 UTC 2027";
  EXPECT_EQ(Answer(answer).error().message, "Incorrect username or password.");
}

TEST_F(SrpSignInTest, ParametersAreRequiredAndChecked) {
  EXPECT_EQ(Start({{"USERNAME", "alice"}}).error().message, "Missing required parameter SRP_A");
  EXPECT_EQ(Start({{"SRP_A", "2"}}).error().message, "Missing required parameter USERNAME");
  for (const char* a : {"0", "00", "xyz", "-1", " "}) {
    EXPECT_EQ(Start({{"USERNAME", "alice"}, {"SRP_A", a}}).error().code, AuthErrorCode::kInvalidParameter) << a;
  }
  EXPECT_EQ(Start({{"USERNAME", "alice"}, {"SRP_A", std::string(5'000, 'f')}}).error().code,
            AuthErrorCode::kInvalidParameter);
  const Parameters good = client_.Answer(ChallengeFor(), kNow);
  for (const auto& [name, value] : good) {
    Parameters without = good;
    without.erase(name);
    EXPECT_EQ(Answer(without).error().message, "Missing required parameter " + name);
  }
}

TEST_F(SrpSignInTest, SecretHashIsOverTheNameOfEachCall) {
  ChangeClient(region_, [](ClientRecord& client) { client.add_secrets("secret"); });
  Parameters start = {{"USERNAME", "alice"}, {"SRP_A", client_.PublicKeyHex()}};
  EXPECT_EQ(Start(start).error().code, AuthErrorCode::kNotAuthorized);
  start["SECRET_HASH"] = SecretHashOf("secret", "alice", kTestClient);
  const auto step = Start(start);
  ASSERT_TRUE(step);
  Parameters answer = client_.Answer(std::get<Challenge>(*step).parameters, kNow);
  EXPECT_EQ(Answer(answer).error().code, AuthErrorCode::kNotAuthorized);
  answer["SECRET_HASH"] = SecretHashOf("secret", "alice", kTestClient);
  EXPECT_TRUE(IsTokens(Answer(answer)));
}

TEST_F(SrpSignInTest, PasswordChangedMeanwhileFailsTheProof) {
  const Parameters answer = client_.Answer(ChallengeFor(), kNow);
  ChangeUser(region_, [](UserRecord& user) { (*user.mutable_password()->mutable_verifier())[20] ^= 1; });
  EXPECT_EQ(Answer(answer).error().message, "Incorrect username or password.");
}

TEST_F(SrpSignInTest, StateIsToldAfterTheProofOnly) {
  ChangeUser(region_, [](UserRecord& user) { user.set_status(directory::pb::UNCONFIRMED); });
  SrpTestClient guesser = client_;
  guesser.password = "wrong";
  EXPECT_EQ(Answer(guesser.Answer(ChallengeFor(), kNow)).error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(SignIn().error().code, AuthErrorCode::kUserNotConfirmed);
}

TEST_F(SrpSignInTest, TemporaryPasswordLeadsToANewOne) {
  ChangeUser(region_, [](UserRecord& user) { user.set_status(directory::pb::FORCE_CHANGE_PASSWORD); });
  const auto step = SignIn();
  ASSERT_TRUE(step);
  const Challenge& challenge = std::get<Challenge>(*step);
  EXPECT_EQ(challenge.name, ChallengeName::kNewPasswordRequired);
  EXPECT_TRUE(challenge.session);
}

TEST_F(SrpSignInTest, AliasIsChallengedUnderTheUsersName) {
  region_.pool.add_alias_attributes("email");
  region_.Change([&](const Context& context) {
    const directory::User user =
        *directory::GetUser(context.tx, directory::UserKeyOf(context.tx, context.pool, kTestUsername));
    UserRecord before = user.record;
    before.mutable_attributes()->erase("email");
    EXPECT_TRUE(directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse));
  });
  const Parameters challenge = ChallengeFor("alice@example.com");
  EXPECT_EQ(challenge.at("USER_ID_FOR_SRP"), "alice");
  Parameters answer = client_.Answer(challenge, kNow);
  answer["USERNAME"] = "alice@example.com";
  EXPECT_TRUE(IsTokens(Answer(answer)));
}

// ---- names that nobody has ----

TEST_F(SrpSignInTest, UnknownUserIsToldToLegacyClients) {
  EXPECT_EQ(Start({{"USERNAME", "nobody"}, {"SRP_A", client_.PublicKeyHex()}}).error().code,
            AuthErrorCode::kUserNotFound);
}

TEST_F(SrpSignInTest, UnknownUserIsChallengedLikeAnyOther) {
  ChangeClient(region_, [](ClientRecord& client) { client.set_prevent_user_existence_errors(true); });
  const Parameters known = ChallengeFor(), unknown = ChallengeFor("nobody"), again = ChallengeFor("nobody");
  EXPECT_EQ(unknown.at("SALT"), again.at("SALT")) << "a salt does not change from call to call";
  EXPECT_NE(unknown.at("SALT"), ChallengeFor("nobody2").at("SALT"));
  EXPECT_EQ(unknown.at("USER_ID_FOR_SRP"), "nobody") << "what it would be for a user who chose this name";
  EXPECT_NE(unknown.at("SRP_B"), again.at("SRP_B"));
  EXPECT_EQ(unknown.at("SALT").size(), known.at("SALT").size());
  EXPECT_NEAR(static_cast<double>(unknown.at("SECRET_BLOCK").size()),
              static_cast<double>(known.at("SECRET_BLOCK").size()), 8);

  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const auto elsewhere = StartIn(other, {{"USERNAME", "nobody"}, {"SRP_A", client_.PublicKeyHex()}});
  EXPECT_EQ(std::get<Challenge>(*elsewhere).parameters.at("SALT"), unknown.at("SALT")) << "nor from Region to Region";

  SrpTestClient guesser = client_;
  guesser.password = "wrong";
  std::vector<std::string> of_known, of_unknown;
  for (int i = 0; i < 7; ++i) {
    of_known.push_back(Answer(guesser.Answer(ChallengeFor(), kNow)).error().message);
    of_unknown.push_back(Answer(client_.Answer(ChallengeFor("nobody"), kNow)).error().message);
  }
  EXPECT_EQ(of_known, of_unknown) << "the lock included";
}

TEST_F(SrpSignInTest, UnknownAddressGetsAUuidWhereUsersHaveThem) {
  region_.pool.add_username_attributes("email");
  ChangeClient(region_, [](ClientRecord& client) { client.set_prevent_user_existence_errors(true); });
  const Parameters challenge = ChallengeFor("nobody@example.com");
  EXPECT_TRUE(std::regex_match(challenge.at("USER_ID_FOR_SRP"),
                               std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  EXPECT_EQ(challenge.at("USER_ID_FOR_SRP"), ChallengeFor("nobody@example.com").at("USER_ID_FOR_SRP"));
}

TEST_F(SrpSignInTest, UserWithoutAPasswordFailsAtTheProof) {
  ChangeUser(region_, [](UserRecord& user) { user.clear_password(); });
  EXPECT_EQ(SignIn().error().message, "Incorrect username or password.");
}

// ---- TIMESTAMP ----

TEST(ClaimTimestampTest, IsReadLeniently) {
  const Timestamp expected = FromSeconds(1'793'696'707);  // 2026-11-03 09:05:07
  for (const char* text : {"Tue Nov 3 09:05:07 UTC 2026", "Tue Nov 03 09:05:07 UTC 2026", "Tue Nov  3 9:05:07 UTC 2026",
                           "tue nov 3 09:05:07 utc 2026", "Tue Nov 3 09:05:07 GMT 2026", "Wed Nov 3 09:5:7 UTC 2026"}) {
    EXPECT_EQ(ParseClaimTimestamp(text), expected) << text;
  }
  for (const char* text : {"", "Tue Nov 3 09:05:07 2026", "Tue Nov 31 09:05:07 UTC 2026", "Tue Foo 3 09:05:07 UTC 2026",
                           "Tue Nov 3 24:05:07 UTC 2026", "Tue Nov 3 09:60:07 UTC 2026", "Tue Nov 3 09:05:61 UTC 2026",
                           "Tue Nov 3 09:05:07 CET 2026", "Di Nov 3 09:05:07 UTC 2026", "Tue Nov -3 09:05:07 UTC 2026",
                           "Tue Nov 3 09:05:07 UTC 99999", "Tue Nov 3 09:05:07 UTC 2026 x",
                           "Tue Nov 3 09:05:07 UTC 2026                                                    "}) {
    EXPECT_EQ(ParseClaimTimestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace symbolon::auth
