#include "keys/local/root_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/random.h"
#include "keys/local/test_support.h"

namespace symbolon::keys::local {
namespace {

using ::testing::HasSubstr;

RootKeyGuard Passphrase(const std::string& text) {
  return {.protection = RootKeyProtection::kPassphrase,
          .passphrase = [text]() -> Result<Secret, std::string> { return Secret::CopyOf(text); },
          .cost = {.n = 1024}};
}

class RootKeyTest : public testing::Test {
 protected:
  Bytes Protect(const RootKeyGuard& guard) { return Bytes(ProtectRootKey(root_key_, guard, random_).value().view()); }

  Random& random_ = crypto::SystemRandom();
  const Secret root_key_{random_.Octets(32)};
};

TEST_F(RootKeyTest, Plain_IsHexadecimal) {
  const Bytes content = Protect({});
  EXPECT_EQ(content, HexEncode(root_key_.view()) + "\n");
  EXPECT_EQ(ProtectionOfRootKey(content), RootKeyProtection::kNone);
  EXPECT_EQ(OpenRootKey(content, {})->view(), root_key_.view());
}

TEST_F(RootKeyTest, UnderAPassphrase_OpensWithItOnly) {
  const Bytes content = Protect(Passphrase("correct horse battery"));
  EXPECT_EQ(ProtectionOfRootKey(content), RootKeyProtection::kPassphrase);
  EXPECT_EQ(content.find(HexEncode(root_key_.view())), Bytes::npos);
  EXPECT_EQ(OpenRootKey(content, Passphrase("correct horse battery"))->view(), root_key_.view());
  EXPECT_THAT(OpenRootKey(content, Passphrase("correct horse batterY")).error(), HasSubstr("under this passphrase"));
  EXPECT_NE(Protect(Passphrase("correct horse battery")), content);
}

TEST_F(RootKeyTest, ShortPassphrases_AreRefused) {
  EXPECT_THAT(ProtectRootKey(root_key_, Passphrase("eleven octe"), random_).error(), HasSubstr("shorter than 12"));
}

TEST_F(RootKeyTest, AlteredFiles_DoNotOpen) {
  const RootKeyGuard guard = Passphrase("correct horse battery");
  const Bytes content = Protect(guard);
  const std::size_t costs = content.find('\n') + 1;
  // The salt, and what is sealed.
  for (const std::size_t at : {costs + 12, content.size() - 40, content.size() - 2}) {
    Bytes altered = content;
    altered[at] = altered[at] == '0' ? '1' : '0';
    EXPECT_FALSE(OpenRootKey(altered, guard)) << at;
  }
  const Bytes sealed = content.substr(content.find(' ', costs));
  for (const Bytes& altered :
       {content.substr(0, costs), content.substr(0, costs - 1), content.substr(0, content.size() / 2), content + "x",
        content.substr(0, costs) + "131072 8", content.substr(0, costs) + "999999999999 8 1 00 00",
        content.substr(0, costs) + "0 8 1 00 00", content.substr(0, costs) + "2048" + sealed}) {
    EXPECT_FALSE(OpenRootKey(altered, guard)) << altered;
  }
}

TEST_F(RootKeyTest, UnderACmk_OpensWhileItMayBeUsed) {
  ManualClock clock;
  const TemporaryDirectory directory;
  const auto kms = OpenTestProvider(directory.path(), Region("eu-central-1"), clock).value();
  RootKeyGuard guard{
      .protection = RootKeyProtection::kCmk, .cmk_arn = kms->CreateKey(false, "").value().arn, .provider = kms.get()};
  const Bytes content = Protect(guard);
  EXPECT_EQ(ProtectionOfRootKey(content), RootKeyProtection::kCmk);
  EXPECT_EQ(CmkOfRootKey(content), guard.cmk_arn);
  EXPECT_EQ(OpenRootKey(content, guard)->view(), root_key_.view());
  ASSERT_TRUE(kms->DisableKey(guard.cmk_arn));
  EXPECT_THAT(OpenRootKey(content, guard).error(), HasSubstr("disabled"));
  ASSERT_TRUE(kms->EnableKey(guard.cmk_arn));
  guard.cmk_arn = kms->CreateKey(false, "").value().arn;
  EXPECT_THAT(OpenRootKey(content, guard).error(), HasSubstr("and the configuration names " + guard.cmk_arn));
  for (std::size_t size = 0; size < content.size(); ++size) EXPECT_FALSE(OpenRootKey(content.substr(0, size), guard));
}

TEST_F(RootKeyTest, OtherProtectionThanConfigured_IsRefused) {
  EXPECT_THAT(OpenRootKey(Protect({}), Passphrase("correct horse battery")).error(),
              HasSubstr("is not protected, and the configuration says that it is protected by a passphrase"));
  EXPECT_THAT(OpenRootKey(Protect(Passphrase("correct horse battery")), {}).error(),
              HasSubstr("is protected by a passphrase, and the configuration says that it is not protected"));
  for (const Bytes& nonsense :
       {Bytes(), Bytes("short"), Bytes(62, 'a'), Bytes(66, 'a'), Bytes("symbolon root key 2 x\n")}) {
    EXPECT_EQ(ProtectionOfRootKey(nonsense), std::nullopt);
    EXPECT_THAT(OpenRootKey(nonsense, {}).error(), HasSubstr("64 hexadecimal digits"));
  }
}

}  // namespace
}  // namespace symbolon::keys::local
