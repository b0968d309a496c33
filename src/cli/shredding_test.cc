#include "cli/shredding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certificate/certificate.h"

namespace symbolon::cli {
namespace {

using testing::HasSubstr;

TEST(Shredding, ProgressSaysEachRegion) {
  const auto view = ViewShredding(
      R"({"Shredding":{"UserPoolId":"p","Status":"PENDING","AskedBy":"a","AskedAt":1,"Certificate":"c","Regions":[
          {"Region":"eu-central-1","State":"DONE","At":2},
          {"Region":"us-east-1","State":"KEYS_DESTROYED","Reason":"It waits."},
          {"Region":"sa-east-1","State":"PENDING","Reason":"The Region is not in reach."},
          {"Region":"ap-south-1","State":"REMOVED","Reason":"It is gone."}]}})");
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->final);
  EXPECT_EQ(view->certificate, "c");
  EXPECT_EQ(view->text,
            "  eu-central-1         done\n"
            "  us-east-1            keys destroyed  It waits.\n"
            "  sa-east-1            pending         The Region is not in reach.\n"
            "  ap-south-1           NOT CONFIRMED   It is gone.\n");
}

TEST(Shredding, WhatIsNoAnswerIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"Shredding":1})", R"({"Shredding":{"Regions":[1]}})"}) {
    EXPECT_FALSE(ViewShredding(text)) << text;
  }
}

class CertificateWordsTest : public testing::Test {
 protected:
  enum class Answer { kStated, kPending, kRemoved };
  std::string Make(Answer answer) const {
    certificate::Order order{.kind = certificate::Kind::kUserPoolShredded,
                             .id = "00",
                             .pool = PoolId("eu-central-1_Pool"),
                             .user_sub = {},
                             .data_keys = {},
                             .kms_key_arns = {"arn:k"},
                             .asked_by = "arn:ann",
                             .asked_in = Region("eu-central-1"),
                             .asked_at = FromSeconds(1'800'000'000),
                             .regions = {Region("eu-central-1")}};
    const std::string text = certificate::FormatOrder(order);
    certificate::Contents contents{.order_text = text,
                                   .statements = {},
                                   .pending = {},
                                   .issued_by = Region("eu-central-1"),
                                   .issued_at = FromSeconds(1'800'000'002)};
    if (answer == Answer::kStated) {
      contents.statements.push_back(certificate::SignStatement(text,
                                                               {.region = Region("eu-central-1"),
                                                                .at = FromSeconds(1'800'000'001),
                                                                .position = "",
                                                                .done = {{"setAsideFilesRemoved", 1}},
                                                                .remains = {"Backups."}},
                                                               key_));
    } else if (answer == Answer::kRemoved) {
      contents.removed.push_back({.region = Region("eu-central-1"), .reason = "It is gone."});
    } else {
      contents.pending.push_back({.region = Region("eu-central-1"), .reason = "It waits."});
    }
    return certificate::Issue(contents, key_);
  }

  const crypto::Ed25519Key key_ = crypto::Ed25519Key::Generate();
};

TEST_F(CertificateWordsTest, AFinalOneIsSaidInWords) {
  const auto said = DescribeCertificate(Make(Answer::kStated), {key_.PublicKey()});
  ASSERT_TRUE(said) << said.error().message;
  for (const char* part : {"eu-central-1_Pool", "arn:ann", "arn:k", "setAsideFilesRemoved: 1", "remains: Backups.",
                           "It is genuine, and FINAL."}) {
    EXPECT_THAT(*said, HasSubstr(part));
  }
}

TEST_F(CertificateWordsTest, APendingOneHasAStatusOfItsOwn) {
  const auto said = DescribeCertificate(Make(Answer::kPending), {});
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().exit_status, 3);
  EXPECT_THAT(said.error().message, HasSubstr("eu-central-1: PENDING: It waits."));
}

TEST_F(CertificateWordsTest, OneWithoutARegionThatWasRemovedHasAStatusOfItsOwn) {
  const auto said = DescribeCertificate(Make(Answer::kRemoved), {});
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().exit_status, 4);
  EXPECT_THAT(said.error().message, HasSubstr("eu-central-1: REMOVED, NOT CONFIRMED: It is gone."));
  EXPECT_THAT(said.error().message, HasSubstr("FINAL, but Regions were removed that have not confirmed"));
}

TEST_F(CertificateWordsTest, AnAlteredOneIsNotGenuine) {
  std::string text = Make(Answer::kStated);
  text.replace(text.find("Backups"), 7, "Nothing");
  const auto said = DescribeCertificate(text, {});
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().exit_status, 1);
  EXPECT_THAT(said.error().message, HasSubstr("NOT GENUINE"));
  EXPECT_FALSE(DescribeCertificate("{}", {}));
}

}  // namespace
}  // namespace symbolon::cli
