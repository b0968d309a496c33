#include "oauth/idp_state.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "directory/test_store.h"

namespace symbolon::oauth {
namespace {

class IdpStateTest : public testing::Test {
 protected:
  static http::Request WithCookie(const std::string& cookie) {
    http::Request request;
    request.headers.Add("Cookie", cookie);
    return request;
  }
  std::string Seal(const std::string& browser) {
    federation::pb::State state;
    state.set_id("id");
    state.set_expires_micros(ToMicros(clock_.Now() + kStateLifetime));
    return SealState(*keys_, browser, state, random_);
  }
  StateError ErrorOf(const std::optional<std::string>& browser, const std::string& text) {
    const auto opened = OpenState(*keys_, browser, text, clock_.Now());
    EXPECT_FALSE(opened);
    return opened ? StateError::kInvalid : opened.error();
  }

  ManualClock clock_;
  SeededRandom random_{1};
  std::shared_ptr<const keys::PoolKeys> keys_ =
      directory::TestKeysOf(Region("eu-central-1"), PoolId("eu-central-1_TestPool1"));
};

TEST_F(IdpStateTest, WhatWentOutWithABrowserComesBackWithIt) {
  const std::string browser = NewBrowser(random_);
  const auto opened = OpenState(*keys_, browser, Seal(browser), clock_.Now());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->id(), "id");
}

TEST_F(IdpStateTest, AnotherBrowserALateOneAndWhatIsNotOursAreRefused) {
  const std::string browser = NewBrowser(random_);
  const std::string text = Seal(browser);
  EXPECT_EQ(ErrorOf(std::nullopt, text), StateError::kOtherBrowser);
  EXPECT_EQ(ErrorOf(NewBrowser(random_), text), StateError::kOtherBrowser);
  EXPECT_EQ(ErrorOf(browser, text + "A"), StateError::kInvalid);
  EXPECT_EQ(ErrorOf(browser, ""), StateError::kInvalid);
  EXPECT_EQ(ErrorOf(browser, std::string(20'000, 'A')), StateError::kInvalid);
  clock_.Advance(kStateLifetime);
  EXPECT_EQ(ErrorOf(browser, text), StateError::kExpired);
}

TEST_F(IdpStateTest, AStateOfAnotherPoolIsNone) {
  const std::string browser = NewBrowser(random_);
  const std::string text = Seal(browser);
  keys_ = directory::TestKeysOf(Region("eu-central-1"), PoolId("eu-central-1_TestPool2"));
  EXPECT_EQ(ErrorOf(browser, text), StateError::kInvalid);
}

TEST_F(IdpStateTest, TheCookieIsFoundAmongOthers) {
  const std::string browser = NewBrowser(random_);
  const std::string ours = std::string(kBrowserCookie) + "=" + browser;
  EXPECT_EQ(BrowserOf(WithCookie(ours)), browser);
  EXPECT_EQ(BrowserOf(WithCookie("a=b; " + ours + "; c=d")), browser);
  EXPECT_EQ(BrowserOf(WithCookie("x" + ours)), std::nullopt);
  EXPECT_EQ(BrowserOf(WithCookie(ours + "x")), std::nullopt);
  EXPECT_EQ(BrowserOf(WithCookie("symbolon-idp=")), std::nullopt);
  EXPECT_EQ(BrowserOf(WithCookie("symbolon-idp")), std::nullopt);
  EXPECT_EQ(BrowserOf(http::Request()), std::nullopt);
  EXPECT_EQ(SetBrowserCookie("b", true), "symbolon-idp=b; Path=/; HttpOnly; SameSite=Lax; Secure");
  EXPECT_EQ(SetBrowserCookie("b", false), "symbolon-idp=b; Path=/; HttpOnly; SameSite=Lax");
}

}  // namespace
}  // namespace symbolon::oauth
