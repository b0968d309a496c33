#include "auth/codes.h"

#include <gtest/gtest.h>

#include "auth/test_region.h"

namespace symbolon::auth {
namespace {

using directory::pb::PendingCode;
using directory::pb::UserRecord;
using std::chrono::hours;
using std::chrono::microseconds;

constexpr auto kReset = PendingCode::RESET_PASSWORD;
constexpr auto kSignUp = PendingCode::CONFIRM_SIGN_UP;
constexpr auto kVerify = PendingCode::VERIFY_ATTRIBUTE;

std::string Other(std::string code) {
  code[0] = code[0] == '0' ? '1' : '0';
  return code;
}

class Codes : public testing::Test {
 protected:
  Codes() {
    user_.set_username("alice");
    user_.set_sub("04c894d8-20e1-40ed-975e-9a01d11f7f45");
  }

  std::string Issue(CodePurpose purpose, std::string_view attribute = "email", std::string_view value = "a@b.c") {
    std::string code;
    region_.Change([&](const Context& c) { code = IssueCode(c.tx, c.env, user_, purpose, attribute, value); });
    return code;
  }
  bool Admit(CodePurpose purpose, BytesView name_key = "alice's key") {
    bool admitted = false;
    region_.Change([&](const Context& c) { admitted = AdmitCodeRequest(c.tx, c.env, purpose, name_key); });
    return admitted;
  }
  std::optional<CodeError> RedeemFor(UserRecord* user, BytesView name_key, CodePurpose purpose, std::string_view code,
                                     std::string_view attribute = "") {
    std::optional<CodeError> error;
    region_.Change([&](const Context& c) {
      const auto redeemed = RedeemCode(c.tx, c.env, name_key, user, purpose, attribute, code);
      if (!redeemed) error = redeemed.error();
    });
    return error;
  }
  std::optional<CodeError> Redeem(CodePurpose purpose, std::string_view code, std::string_view attribute = "") {
    return RedeemFor(&user_, "alice's key", purpose, code, attribute);
  }

  // Not at the start of an hour.
  ManualClock clock_{FromSeconds(1'800'000'000 + 600)};
  TestPool pool_;
  TestRegion region_{"eu-central-1", pool_, clock_};
  UserRecord user_;
};

TEST_F(Codes, SixDigitsThatAreNotInTheRecord) {
  const std::string code = Issue(kSignUp);
  EXPECT_EQ(code.size(), kCodeDigits);
  EXPECT_EQ(code.find_first_not_of("0123456789"), std::string::npos);
  EXPECT_EQ(user_.SerializeAsString().find(code), std::string::npos);
}

TEST_F(Codes, GoodOnce) {
  const std::string code = Issue(kSignUp);
  EXPECT_EQ(Redeem(kSignUp, code), std::nullopt);
  EXPECT_EQ(user_.codes_size(), 0);
  EXPECT_EQ(Redeem(kSignUp, code), CodeError::kNoneWaits);
}

TEST_F(Codes, RedeemedOneSaysWhatItWasFor) {
  const std::string code = Issue(kVerify, "phone_number", "+4917012345");
  region_.Change([&](const Context& c) {
    const auto redeemed = RedeemCode(c.tx, c.env, "alice's key", &user_, kVerify, "phone_number", code);
    ASSERT_TRUE(redeemed);
    EXPECT_EQ(redeemed->attribute(), "phone_number");
    EXPECT_EQ(redeemed->value(), "+4917012345");
  });
}

TEST_F(Codes, ServesOnePurposeAndOneAttribute) {
  const std::string code = Issue(kVerify, "email");
  EXPECT_EQ(Redeem(kReset, code), CodeError::kNoneWaits);
  EXPECT_EQ(Redeem(kVerify, code, "phone_number"), CodeError::kNoneWaits);
  EXPECT_EQ(Redeem(kVerify, code, "email"), std::nullopt);
}

TEST_F(Codes, OnlyTheNewestIsGood) {
  const std::string first = Issue(kReset);
  const std::string second = Issue(kReset);
  ASSERT_NE(first, second);
  EXPECT_EQ(user_.codes_size(), 1);
  EXPECT_EQ(Redeem(kReset, first), CodeError::kWrong);
  EXPECT_EQ(Redeem(kReset, second), std::nullopt);
}

TEST_F(Codes, CodesOfTwoAttributesWaitSideBySide) {
  const std::string email = Issue(kVerify, "email");
  const std::string phone = Issue(kVerify, "phone_number", "+4917012345");
  EXPECT_EQ(Redeem(kVerify, phone, "phone_number"), std::nullopt);
  EXPECT_EQ(Redeem(kVerify, email, "email"), std::nullopt);
}

TEST_F(Codes, BoundToTheUser) {
  const std::string code = Issue(kReset);
  user_.set_sub("14c894d8-20e1-40ed-975e-9a01d11f7f45");
  EXPECT_EQ(Redeem(kReset, code), CodeError::kWrong);
}

TEST_F(Codes, DieOnTime) {
  const std::string reset = Issue(kReset);
  const std::string sign_up = Issue(kSignUp);
  clock_.Advance(kResetCodeLifetime);
  EXPECT_EQ(Redeem(kReset, reset), CodeError::kNoneWaits);
  clock_.Advance(kConfirmationCodeLifetime - kResetCodeLifetime - microseconds(1));
  EXPECT_EQ(Redeem(kSignUp, Other(sign_up)), CodeError::kWrong);
  EXPECT_EQ(Redeem(kSignUp, sign_up), std::nullopt);
}

TEST_F(Codes, WrongGuessesEndForTheHourAndTheRightOneIsRefusedToo) {
  const std::string code = Issue(kSignUp);
  for (std::uint64_t i = 0; i < kWrongGuessesPerHourMax; ++i)
    EXPECT_EQ(Redeem(kSignUp, Other(code)), CodeError::kWrong);
  EXPECT_EQ(Redeem(kSignUp, code), CodeError::kTooManyWrong);
  const std::string fresh = Issue(kSignUp);
  EXPECT_EQ(Redeem(kSignUp, fresh), CodeError::kTooManyWrong);
  EXPECT_EQ(Redeem(kReset, code), CodeError::kNoneWaits);  // another purpose has its own count
  clock_.Advance(hours(1));
  EXPECT_EQ(Redeem(kSignUp, fresh), std::nullopt);
}

TEST_F(Codes, RequestsAreBoundedPerHourNameAndPurpose) {
  for (std::uint64_t i = 0; i < kCodeRequestsPerHourMax; ++i) EXPECT_TRUE(Admit(kReset));
  EXPECT_FALSE(Admit(kReset));
  EXPECT_TRUE(Admit(kSignUp));
  EXPECT_TRUE(Admit(kReset, "bob's key"));
  clock_.Advance(std::chrono::minutes(49));
  EXPECT_FALSE(Admit(kReset));
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_TRUE(Admit(kReset));
}

// A name that nobody has, and a user who cannot be reached, answer as a user does who got a code.
TEST_F(Codes, NobodyAndTheUnreachableAnswerAsUsersDo) {
  UserRecord unreachable = user_;
  for (UserRecord* user : {static_cast<UserRecord*>(nullptr), &unreachable}) {
    const Bytes name = user == nullptr ? "nobody's key" : "unreachable's key";
    EXPECT_EQ(RedeemFor(user, name, kReset, "123456"), CodeError::kNoneWaits);
    EXPECT_TRUE(Admit(kReset, name));
    for (std::uint64_t i = 0; i < kWrongGuessesPerHourMax; ++i)
      EXPECT_EQ(RedeemFor(user, name, kReset, "123456"), CodeError::kWrong);
    EXPECT_EQ(RedeemFor(user, name, kReset, "123456"), CodeError::kTooManyWrong);
  }
  clock_.Advance(kResetCodeLifetime);
  EXPECT_EQ(RedeemFor(nullptr, "nobody's key", kReset, "123456"), CodeError::kNoneWaits);
}

TEST_F(Codes, AfterRedemptionNothingWaits) {
  EXPECT_TRUE(Admit(kReset));
  const std::string code = Issue(kReset);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Redeem(kReset, code), std::nullopt);
  EXPECT_EQ(Redeem(kReset, code), CodeError::kNoneWaits);
}

TEST_F(Codes, RegionsShareOneBudget) {
  TestRegion other{"us-east-1", pool_, clock_};
  for (std::uint64_t i = 0; i < kCodeRequestsPerHourMax; ++i) EXPECT_TRUE(Admit(kReset));
  other.MergeFactsOf(region_);
  other.Change([](const Context& c) { EXPECT_FALSE(AdmitCodeRequest(c.tx, c.env, kReset, "alice's key")); });
}

TEST_F(Codes, GuessesOfThePasswordAreCounted) {
  region_.Change([&](const Context& c) {
    for (std::uint64_t i = 0; i < kWrongGuessesPerHourMax; ++i) {
      EXPECT_TRUE(MayGuessPassword(c.tx, c.env, "alice's key"));
      CountWrongPassword(c.tx, c.env, "alice's key");
    }
    EXPECT_FALSE(MayGuessPassword(c.tx, c.env, "alice's key"));
    EXPECT_TRUE(MayGuessPassword(c.tx, c.env, "bob's key"));
  });
}

}  // namespace
}  // namespace symbolon::auth
