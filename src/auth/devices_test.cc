#include "auth/devices.h"

#include <gmock/gmock.h>

#include "auth/test_devices.h"

namespace symbolon::auth {
namespace {

using std::chrono::minutes;
using testing::MatchesRegex;

const std::string kNoDevice = "Device does not exist.";

// ---- new devices ----

TEST_F(DevicesTest, SignInGivesADeviceThatMayBeConfirmed) {
  const Tokens tokens = TokensOf(SignIn(home_));
  ASSERT_TRUE(tokens.new_device);
  EXPECT_THAT(tokens.new_device->key,
              MatchesRegex("eu-central-1_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_THAT(tokens.new_device->group_key, MatchesRegex("-[A-Za-z0-9_-]{8}"));
  EXPECT_EQ(BoundTo(tokens), tokens.new_device->key);
  const Tokens next = TokensOf(SignIn(home_));
  EXPECT_NE(next.new_device->key, tokens.new_device->key);
  EXPECT_EQ(next.new_device->group_key, tokens.new_device->group_key);
}

TEST_F(DevicesTest, PoolWithoutTrackingKnowsNoDevices) {
  const TestDevice device = ConfirmedDevice();
  home_.pool.clear_device_tracking();
  const Tokens tokens = TokensOf(SignIn(home_, By(device.key)));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(home_, device.tokens, std::nullopt), "") << "nor bound tokens";
  EXPECT_EQ(Confirm(device).error().code, AuthErrorCode::kInvalidUserPoolConfiguration);
  EXPECT_NE(Remember(device, false), "");
}

TEST_F(DevicesTest, AdministratorsSignInWithoutDevices) {
  const TestDevice device = ConfirmedDevice();
  const Tokens tokens = TokensOf(SignIn(home_, By(device.key), Door::kAdmin));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
  // And do not go on with a device's sign-in.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(Answer(home_, ChallengeName::kDeviceSrpAuth, challenge.session,
                   {{"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}}, Door::kAdmin)
                .error()
                .code,
            AuthErrorCode::kInvalidParameter);
}

TEST_F(DevicesTest, SecondaryOffersNoDeviceThatItCouldNotConfirm) {
  const auto away = Secondary();
  const Tokens tokens = TokensOf(SignIn(*away));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(*away, tokens, std::nullopt), "");
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
}

// ---- confirming ----

TEST_F(DevicesTest, DeviceIsConfirmedByItsOwnSignInOnce) {
  const TestDevice device = NewDevice(), other = NewDevice();
  const DeviceClaims claims = ClaimsOf(device);
  for (const std::string& of_token : {other.key, std::string()}) {
    EXPECT_EQ(Confirm(claims, of_token).error().code, AuthErrorCode::kInvalidParameter);
  }
  EXPECT_EQ(Confirm(claims, device.key), false) << "nobody need ask the user";
  EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kDeviceKeyExists);
  EXPECT_EQ(Forget(device), "");
  EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kDeviceKeyExists)
      << "what was forgotten comes back";
  EXPECT_FALSE(Has(home_, device));
}

TEST_F(DevicesTest, ClaimsThatAreNoVerifierAreRefused) {
  const TestDevice device = NewDevice();
  const DeviceClaims good = ClaimsOf(device);
  const Bytes too_large(crypto::kSrpVerifierBytes, '\xff');
  for (const Bytes& verifier :
       {Bytes(), Bytes(1, '\0'), Bytes(1, '\1'), Bytes("\0\1", 2), too_large, Bytes(1'000, '\2')}) {
    DeviceClaims claims = good;
    claims.verifier = verifier;
    EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kInvalidParameter) << HexEncode(verifier);
  }
  for (const Bytes& salt : {Bytes(), Bytes(2, '\0'), Bytes(kDeviceSaltBytesMax + 1, 's')}) {
    DeviceClaims claims = good;
    claims.salt = salt;
    EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kInvalidParameter) << HexEncode(salt);
  }
  EXPECT_TRUE(Confirm(good, device.key));
}

TEST_F(DevicesTest, WhereUsersAreAskedTheDeviceIsRememberedWhenTheySaySo) {
  GiveAuthenticator();
  Track({.replaces = true, .on_prompt = true});
  const TestDevice device = [&] {
    const Challenge challenge = ChallengeOf(SignIn(home_), ChallengeName::kSoftwareTokenMfa);
    Tokens tokens = TokensOf(AnswerCode(challenge.session));
    return TestDevice{
        .key = tokens.new_device->key, .group_key = tokens.new_device->group_key, .tokens = std::move(tokens)};
  }();
  EXPECT_EQ(Confirm(device), true);
  clock_.Advance(minutes(5));
  // A code as before; the tokens are the device's.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kSoftwareTokenMfa);
  const Tokens tokens = TokensOf(AnswerCode(challenge.session));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), device.key);
  EXPECT_EQ(Remember(device, true), "");
  EXPECT_EQ(BoundTo(TokensOf(SignInBy(home_, device))), device.key);
  EXPECT_EQ(Remember(device, false), "");
  ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(Remember({.key = "eu-central-1_0", .group_key = {}, .tokens = {}}, true), kNoDevice);
}

TEST_F(DevicesTest, OfTooManyTheOneThatWasNotSeenForLongestGoes) {
  std::vector<TestDevice> devices;
  for (std::size_t i = 0; i < directory::kDevicesPerUserMax; ++i) {
    devices.push_back(ConfirmedDevice());
    clock_.Advance(minutes(1));
  }
  TokensOf(SignInBy(home_, devices[0]));
  devices.push_back(ConfirmedDevice());
  EXPECT_TRUE(Has(home_, devices[0]));
  EXPECT_FALSE(Has(home_, devices[1]));
  EXPECT_TRUE(Has(home_, devices[2]));
  // One that nobody remembers goes before.
  EXPECT_EQ(Remember(devices[50], false), "");
  devices.push_back(ConfirmedDevice());
  EXPECT_FALSE(Has(home_, devices[50]));
  EXPECT_TRUE(Has(home_, devices[2]));
}

}  // namespace
}  // namespace symbolon::auth
