#include "crypto/totp.h"

#include <gtest/gtest.h>

namespace symbolon::crypto {
namespace {

constexpr std::string_view kRfcKey = "12345678901234567890";

TEST(TotpTest, Rfc4226AppendixD) {
  const char* const codes[] = {"755224", "287082", "359152", "969429", "338314",
                               "254676", "287922", "162583", "399871", "520489"};
  for (std::uint64_t counter = 0; counter < std::size(codes); ++counter) {
    EXPECT_EQ(HotpCode(kRfcKey, counter), codes[counter]) << counter;
  }
}

TEST(TotpTest, Rfc6238AppendixB) {
  const std::pair<std::int64_t, const char*> vectors[] = {
      {59, "94287082"},
      {1'111'111'109, "07081804"},
      {1'111'111'111, "14050471"},
      {1'234'567'890, "89005924"},
      {2'000'000'000, "69279037"},
      {20'000'000'000, "65353130"},
  };
  for (const auto& [seconds, code] : vectors) {
    EXPECT_EQ(HotpCode(kRfcKey, TotpStepAt(FromSeconds(seconds)), 8), code) << seconds;
  }
}

TEST(TotpTest, StepsAreThirtySecondsFromTheEpoch) {
  EXPECT_EQ(TotpStepAt(FromSeconds(-5)), 0u);
  EXPECT_EQ(TotpStepAt(FromSeconds(29)), 0u);
  EXPECT_EQ(TotpStepAt(FromSeconds(30)), 1u);
  EXPECT_EQ(TotpStepBegin(TotpStepAt(FromSeconds(1'111'111'111))), FromSeconds(1'111'111'110));
}

TEST(TotpTest, CodesOfTheWindowMatchAndNoOthers) {
  const Timestamp now = FromSeconds(1'800'000'015);
  const std::uint64_t present = TotpStepAt(now);
  for (std::uint64_t step = present - 3; step <= present + 3; ++step) {
    const bool within = step + 1 >= present && step <= present + 1;
    const auto matches = MatchTotp(kRfcKey, HotpCode(kRfcKey, step), now, 1);
    EXPECT_EQ(matches, within ? std::vector{step} : std::vector<std::uint64_t>()) << step;
  }
  EXPECT_EQ(MatchTotp(kRfcKey, HotpCode(kRfcKey, present), now, 0), std::vector{present});
}

TEST(TotpTest, WindowDoesNotReachBeforeTheEpoch) {
  EXPECT_EQ(MatchTotp(kRfcKey, "755224", FromSeconds(1), 2), std::vector<std::uint64_t>{0});
}

TEST(TotpTest, WhatIsNoCodeMatchesNothing) {
  const Timestamp now = FromSeconds(59);
  for (const char* code : {"", "28708", "2870820", "94287082", "28708x", "２８７０８２"}) {
    EXPECT_TRUE(MatchTotp(kRfcKey, code, now, 1).empty()) << code;
  }
  EXPECT_EQ(MatchTotp(kRfcKey, "287082", now, 1), std::vector<std::uint64_t>{1});
}

TEST(TotpTest, AnotherKeyHasOtherCodes) {
  EXPECT_TRUE(MatchTotp("another key of 20 oct", "287082", FromSeconds(59), 1).empty());
}

}  // namespace
}  // namespace symbolon::crypto
