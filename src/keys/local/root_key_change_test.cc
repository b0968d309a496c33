#include "keys/local/root_key_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "keys/local/test_support.h"

namespace symbolon::keys::local {
namespace {

using ::testing::HasSubstr;

RootKeyGuard Passphrase(const std::string& text) {
  return {.protection = RootKeyProtection::kPassphrase,
          .passphrase = [text]() -> Result<Secret, std::string> { return Secret::CopyOf(text); },
          .cost = {.n = 1024}};
}

class RootKeyChangeTest : public testing::Test {
 protected:
  LocalKeyProvider::Options With(RootKeyGuard guard) const {
    return {.directory = directory_.path(),
            .region = Region("eu-central-1"),
            .account = kTestAccount,
            .root_key_guard = std::move(guard)};
  }
  LocalKeyResult<std::unique_ptr<LocalKeyProvider>> Open(RootKeyGuard guard) {
    return LocalKeyProvider::Open(With(std::move(guard)), clock_, crypto::SystemRandom());
  }
  LocalKeyResult<void> Change(const RootKeyGuard& from, const RootKeyGuard& to) {
    return ChangeRootKeyProtection(With(to), [&](BytesView) { return from; }, crypto::SystemRandom());
  }

  ManualClock clock_;
  const TemporaryDirectory directory_;
  const RootKeyGuard first_ = Passphrase("the first passphrase"), second_ = Passphrase("the second passphrase");
};

TEST_F(RootKeyChangeTest, MadeUnderAPassphrase_OpensUnderItOnly) {
  const std::string arn = Open(first_).value()->CreateKey(false, "").value().arn;
  EXPECT_TRUE(Open(first_).value()->Describe(arn));
  EXPECT_THAT(Open(second_).error().detail, HasSubstr("under this passphrase"));
  EXPECT_THAT(Open({}).error().detail, HasSubstr("root.key is protected by a passphrase"));
  struct stat status;
  ASSERT_EQ(::stat((directory_.path() / "root.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RootKeyChangeTest, ChangedProtections_OpenTheSameKeys) {
  const std::string arn = Open({}).value()->CreateKey(false, "").value().arn;
  const std::vector<RootKeyGuard> ways = {{}, first_, second_, {}};
  for (std::size_t i = 1; i < ways.size(); ++i) {
    const auto changed = Change(ways[i - 1], ways[i]);
    ASSERT_TRUE(changed) << changed.error().detail;
    EXPECT_FALSE(Open(ways[i - 1]));
    EXPECT_TRUE(Open(ways[i]).value()->Describe(arn));
  }
}

TEST_F(RootKeyChangeTest, UnderAKeyOfAnotherProvider) {
  const TemporaryDirectory elsewhere;
  const auto hsm = OpenTestProvider(elsewhere.path(), Region("eu-central-1"), clock_).value();
  const RootKeyGuard guard{
      .protection = RootKeyProtection::kCmk, .cmk_arn = hsm->CreateKey(false, "").value().arn, .provider = hsm.get()};
  const std::string arn = Open(guard).value()->CreateKey(false, "").value().arn;
  EXPECT_TRUE(Open(guard).value()->Describe(arn));
  ASSERT_TRUE(hsm->DisableKey(guard.cmk_arn));
  EXPECT_THAT(Open(guard).error().detail, HasSubstr("is not decrypted by " + guard.cmk_arn));
}

TEST_F(RootKeyChangeTest, WhatCannotBe_ChangesNothing) {
  EXPECT_THAT(Change({}, first_).error().detail, HasSubstr("root.key is not there"));
  const std::string arn = Open(first_).value()->CreateKey(false, "").value().arn;
  EXPECT_THAT(Change(second_, {}).error().detail, HasSubstr("under this passphrase"));
  EXPECT_THAT(Change(first_, Passphrase("short")).error().detail, HasSubstr("shorter"));
  {
    const auto running = Open(first_).value();
    EXPECT_THAT(Change(first_, second_).error().detail, HasSubstr("in use by another process"));
  }
  EXPECT_TRUE(Open(first_).value()->Describe(arn));
}

}  // namespace
}  // namespace symbolon::keys::local
