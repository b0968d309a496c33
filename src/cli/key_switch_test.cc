#include "cli/key_switch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(KeySwitchTest, KeysThatOpen_AreTheRegionsOwnAndWhatMayBeThere) {
  const char* said = R"({"UserPoolId":"p","KmsKeyArn":"arn:aws:kms:eu:1:key/mrk-pool",
      "PoolKmsKeyArn":"arn:aws:kms:eu:1:key/mrk-pool","OfferedKmsKeyArn":"arn:aws:kms:eu:1:key/mrk-next","Regions":[
        {"Region":"eu","KmsKeyArn":"arn:aws:kms:eu:1:key/mrk-pool"},
        {"Region":"us","KmsKeyArn":"arn:aws:kms:us:1:key/own"},
        {"Region":"ap","KmsKeyArn":"arn:aws:kms:ap:1:key/mrk-own"},
        {"Region":"sa"}]})";
  EXPECT_THAT(KeysThatOpen(said, "eu"), ElementsAre("arn:aws:kms:eu:1:key/mrk-pool", "arn:aws:kms:eu:1:key/mrk-next",
                                                    "arn:aws:kms:eu:1:key/mrk-own"));
  // A key of one Region alone is looked for in no other.
  EXPECT_THAT(KeysThatOpen(said, "us"), ElementsAre("arn:aws:kms:us:1:key/own", "arn:aws:kms:us:1:key/mrk-pool",
                                                    "arn:aws:kms:us:1:key/mrk-next", "arn:aws:kms:us:1:key/mrk-own"));
  EXPECT_THAT(KeysThatOpen(said, "sa").front(), "arn:aws:kms:sa:1:key/mrk-pool");
}

TEST(KeySwitchTest, KeysThatOpen_OfARegionWithAKeyOfItsOwn_NamesThePoolsKeyElsewhere) {
  EXPECT_THAT(KeysThatOpen(R"({"KmsKeyArn":"arn:aws:kms:us:1:key/own","PoolKmsKeyArn":"arn:aws:kms:us:1:key/mrk-pool",
                               "Regions":[{"Region":"us","KmsKeyArn":"arn:aws:kms:us:1:key/own"}]})",
                           "eu"),
              ElementsAre("arn:aws:kms:eu:1:key/mrk-pool"));
}

TEST(KeySwitchTest, KeysThatOpen_OfNoAnswer_AreNone) {
  for (const char* text : {"", "[]", "{}", R"({"KmsKeyArn":"","Regions":1})"}) {
    EXPECT_THAT(KeysThatOpen(text, "eu"), IsEmpty()) << text;
  }
}

TEST(KeySwitchTest, KeyThatIsKeptElsewhere_WhatAPersonCanDo) {
  const std::string hsm = "arn:aws:kms:eu:1:key/hsm-payments";
  EXPECT_THAT(HowToDisable(hsm, "eu"), AllOf(HasSubstr("CKA_DECRYPT to false"), Not(HasSubstr("aws kms"))));
  EXPECT_THAT(HowToEnable(hsm, "eu"), HasSubstr("CKA_DECRYPT to true"));
  const std::string theirs = "arn:aws:kms:eu:2:key/0000";
  EXPECT_THAT(HowToDisable(theirs, "eu"), HasSubstr("aws kms disable-key --region eu --key-id " + theirs));
  EXPECT_THAT(HowToEnable(theirs, "eu"), HasSubstr("aws kms enable-key --region eu --key-id " + theirs));
}

}  // namespace
}  // namespace symbolon::cli
