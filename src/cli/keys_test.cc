#include "cli/keys.h"

#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

std::string View(std::string_view json) { return ViewReencryption(json).value().text; }

TEST(Keys, ProgressShowsRecordsRateAndWhatRemains) {
  EXPECT_EQ(View(R"({"Reencryption":{"UserPoolId":"p","Status":"RUNNING","RecordsDone":250,"RecordsTotal":1000,
                     "RecordsReencrypted":240,"RecordsPerSecond":50.4,"RemainingSeconds":74.2}})"),
            "[#######.......................]  25 %  250 of 1000 records  50/s  1 min 15 s left");
  EXPECT_EQ(View(R"({"Reencryption":{"UserPoolId":"p","Status":"RUNNING","RecordsDone":0,"RecordsTotal":0,
                     "RecordsReencrypted":0,"RecordsPerSecond":0,"Problem":"A replica lags."}})"),
            "[..............................]   0 %  0 of 0 records  0/s  (A replica lags.)");
  EXPECT_EQ(View(R"({"Reencryption":{"UserPoolId":"p","Status":"FINISHING","RecordsDone":9,"RecordsTotal":9,
                     "RecordsReencrypted":9,"RecordsPerSecond":3}})"),
            "[##############################] 100 %  9 of 9 records  every Region looks for what is left");
}

TEST(Keys, EndSaysWhatWasDone) {
  const auto view = ViewReencryption(
      R"({"Reencryption":{"UserPoolId":"p","Status":"DONE","StartedAt":100.5,"EndedAt":3800,"RecordsDone":9,
          "RecordsTotal":9,"RecordsReencrypted":8,"RecordsPerSecond":3,"DataKeysKept":1}})");
  EXPECT_TRUE(view->done);
  EXPECT_EQ(view->text,
            "p: 8 records re-encrypted in 1 h 01 min; 1 former data keys are kept for suffixes that were set aside");
}

TEST(Keys, StatusNamesTheKeyAndEveryRegion) {
  const auto shown = DescribeKeyStatus(
      R"({"UserPoolId":"p","KmsKeyArn":"arn:k","FormerKmsKeyArns":["arn:former"],"DataKeys":[{"Generation":"00112233445566","Sealing":false},
          {"Generation":"ffeeddccbbaa99","Sealing":true}],"Regions":[{"Region":"eu-central-1","State":"OPEN"},
          {"Region":"us-east-1","State":"LOCKED","Reason":"It is disabled.","KmsKeyArn":"arn:own"},
          {"Region":"us-west-2","State":"LOST","Reason":"It is deleted."}]})");
  EXPECT_EQ(*shown,
            "p  arn:k\n"
            "  was under arn:former\n"
            "  eu-central-1         open    \n"
            "  us-east-1            locked   It is disabled. under arn:own\n"
            "  us-west-2            lost     It is deleted.\n"
            "  data key 00112233  opens older data\n"
            "  data key ffeeddcc  seals new data\n");
}

TEST(Keys, WhatIsNoAnswerIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"Reencryption":1})", R"({"Regions":1,"DataKeys":[]})"}) {
    EXPECT_FALSE(ViewReencryption(text)) << text;
    EXPECT_FALSE(DescribeKeyStatus(text)) << text;
  }
}

}  // namespace
}  // namespace symbolon::cli
