#include "keys/arn.h"

#include <gtest/gtest.h>

namespace symbolon::keys {
namespace {

constexpr std::string_view kMultiRegion =
    "arn:aws:kms:eu-central-1:000000000000:key/mrk-1234abcd12ab34cd56ef1234567890ab";
constexpr std::string_view kSingleRegion =
    "arn:aws:kms:eu-central-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

TEST(KeyArnTest, ParsesWhatItWrites) {
  const auto arn = ParseKeyArn(kMultiRegion);
  ASSERT_TRUE(arn);
  EXPECT_EQ(arn->region.value(), "eu-central-1");
  EXPECT_EQ(arn->account, "000000000000");
  EXPECT_EQ(arn->key_id, "mrk-1234abcd12ab34cd56ef1234567890ab");
  EXPECT_EQ(arn->ToString(), kMultiRegion);
}

TEST(KeyArnTest, AnythingElseIsRefused) {
  for (const char* text :
       {"", "arn", "arn:aws:kms:eu-central-1:0:alias/x", "arn:aws:kms:eu-central-1:0:key/", "arn:aws:kms::0:key/x",
        "arn:aws:s3:eu-central-1:0:key/x", "arn:aws:kms:eu-central-1::key/x", "arn:aws:kms:eu-central-1:0:key/x:y",
        "arn:aws:kms:eu-central-1:0:key/x/y", "mrk-1234abcd12ab34cd56ef1234567890ab"}) {
    EXPECT_FALSE(ParseKeyArn(text)) << text;
  }
}

TEST(KeyArnTest, OnlyMultiRegionKeysMove) {
  const Region other("us-east-1");
  EXPECT_EQ(KeyArnInRegion(kMultiRegion, other),
            "arn:aws:kms:us-east-1:000000000000:key/mrk-1234abcd12ab34cd56ef1234567890ab");
  EXPECT_EQ(KeyArnInRegion(kSingleRegion, other), kSingleRegion);
  EXPECT_EQ(KeyArnInRegion("nonsense", other), "nonsense");
}

TEST(KeyArnTest, MultiRegionIds) {
  EXPECT_TRUE(IsMultiRegionKeyId("mrk-1234abcd12ab34cd56ef1234567890ab"));
  EXPECT_FALSE(IsMultiRegionKeyId("mrk-1234abcd12ab34cd56ef1234567890aB"));
  EXPECT_FALSE(IsMultiRegionKeyId("mrk-1234"));
  EXPECT_FALSE(IsMultiRegionKeyId("1234abcd-12ab-34cd-56ef-1234567890ab"));
}

}  // namespace
}  // namespace symbolon::keys
