#include "delivery/message.h"

#include <gtest/gtest.h>

namespace symbolon::delivery {
namespace {

TEST(FillTemplate, ReplacesEveryPlaceholder) {
  EXPECT_EQ(FillTemplate("Hello {username}, {####}. Again: {####}", "alice", "123456"),
            "Hello alice, 123456. Again: 123456");
  EXPECT_EQ(FillTemplate("", "alice", "123456"), "");
  EXPECT_EQ(FillTemplate("{###} {usernam", "alice", "123456"), "{###} {usernam");
}

TEST(FillTemplate, DoesNotFillWhatItPutIn) { EXPECT_EQ(FillTemplate("{username}", "{####}", "123456"), "{####}"); }

TEST(MaskDestination, ShowsWhatTheServiceShows) {
  EXPECT_EQ(MaskDestination(Medium::kEmail, "alice@example.com"), "a***@e***");
  EXPECT_EQ(MaskDestination(Medium::kEmail, "\xc3\xa4lice@\xc3\xb6.example"), "\xc3\xa4***@\xc3\xb6***");
  EXPECT_EQ(MaskDestination(Medium::kSms, "+12065551234"), "+*******1234");
  EXPECT_EQ(MaskDestination(Medium::kSms, "+12"), "+*******+12");
}

}  // namespace
}  // namespace symbolon::delivery
