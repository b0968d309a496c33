#include "cli/erasure.h"

#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

TEST(Erasure, PendingRegionsAreNamedWithWhatTheyWaitFor) {
  const auto view = ViewErasure(
      R"({"Erasure":{"ErasureId":"0a","UserPoolId":"p","Sub":"s","Status":"PENDING","AskedAt":1800000000,"Regions":[
          {"Region":"eu-central-1","State":"ERASED","ErasedAt":1800000001.5},
          {"Region":"us-east-1","State":"PENDING","Reason":"It is not in reach."},
          {"Region":"ap-south-1","State":"PENDING"}]}})");
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->final);
  EXPECT_EQ(view->id, "0a");
  EXPECT_EQ(view->certificate, "");
  EXPECT_EQ(view->text,
            "0a  user s  pending  asked for at 2027-01-15T08:00:00Z\n"
            "  eu-central-1         erased   at 2027-01-15T08:00:01Z\n"
            "  us-east-1            pending  It is not in reach.\n"
            "  ap-south-1           pending\n");
}

TEST(Erasure, RegionThatHasErasedAndWaitsToCertifyIsShownWithBoth) {
  const auto view = ViewErasure(
      R"({"Erasure":{"ErasureId":"0a","Sub":"s","Status":"PENDING","AskedAt":1800000000,"Regions":[
          {"Region":"eu-central-1","State":"ERASED","ErasedAt":1800000001.5,"Reason":"Not issued yet."}]}})");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->text,
            "0a  user s  pending  asked for at 2027-01-15T08:00:00Z\n"
            "  eu-central-1         erased   at 2027-01-15T08:00:01Z; Not issued yet.\n");
}

TEST(Erasure, FinalOneHasItsCertificate) {
  const auto view = ViewErasure(
      R"({"Erasure":{"ErasureId":"0a","Sub":"s","Status":"FINAL","AskedAt":1800000000,"EndedAt":1800000002,"Regions":[],
          "Certificate":"{}\n"}})");
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->final);
  EXPECT_EQ(view->certificate, "{}\n");
  EXPECT_EQ(view->text, "0a  user s  erased  asked for at 2027-01-15T08:00:00Z, ended at 2027-01-15T08:00:02Z\n");
}

TEST(Erasure, RemovedRegionIsNeverSaidToHaveErased) {
  const auto view = ViewErasure(
      R"({"Erasure":{"ErasureId":"0a","Sub":"s","Status":"FINAL","AskedAt":1800000000,"EndedAt":1800000002,"Regions":[
          {"Region":"us-east-1","State":"REMOVED","Reason":"It is gone."}],"Certificate":"{}\n"}})");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->text,
            "0a  user s  ended without a Region  asked for at 2027-01-15T08:00:00Z, ended at 2027-01-15T08:00:02Z\n"
            "  us-east-1            NOT CONFIRMED It is gone.\n");
}

TEST(Erasure, ListHasALineForEach) {
  const auto list = ViewErasures(
      R"({"Erasures":[{"ErasureId":"0a","Sub":"s","Status":"PENDING","AskedAt":1800000000}],"After":"0a"})");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->text, "0a  user s  pending  asked for at 2027-01-15T08:00:00Z\n");
  EXPECT_EQ(list->after, "0a");
  EXPECT_EQ(ViewErasures(R"({"Erasures":[]})")->after, "");
}

TEST(Erasure, WhatIsNoAnswerIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"Erasure":1})", R"({"Erasure":{}})", R"({"Erasure":{"Regions":[1]}})"}) {
    EXPECT_FALSE(ViewErasure(text)) << text;
    EXPECT_FALSE(ViewErasures(text)) << text;
  }
  EXPECT_FALSE(ViewErasures(R"({"Erasures":[1]})"));
}

}  // namespace
}  // namespace symbolon::cli
