#include "cli/verification.h"

#include <gtest/gtest.h>

#include <string>

namespace symbolon::cli {
namespace {

std::string Answer(const std::string& members) {
  return R"({"Verification":{"UserPoolId":"p","VerificationId":"1","StartedAt":100.5,"DifferencesComplete":true,)" +
         members + "}}";
}
const std::string kBoth = R"("Regions":[{"Region":"eu-central-1","Compared":true,"Records":50,"RecordsExpected":50},)"
                          R"({"Region":"us-east-1","Compared":true,"Records":50,"RecordsExpected":50}],)";

TEST(VerificationTest, EqualCopies_SayWhereAndHowMany) {
  const auto view = ViewVerification(Answer(
      kBoth +
      R"("Status":"DONE","Outcome":"EQUAL","EndedAt":102,"Position":"42@1.eu-central-1.ab/p","DifferenceCount":0,"Differences":[])"));
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->done);
  EXPECT_EQ(view->exit_status, 0);
  EXPECT_EQ(view->text, "p: eu-central-1 and us-east-1 are equal at position 42: 50 records, 1.5 s\n");
}

TEST(VerificationTest, DifferingCopies_NameRecordsAndWhoHasWhat) {
  const auto view = ViewVerification(Answer(
      kBoth +
      R"("Status":"DONE","Outcome":"DIFFERING","EndedAt":102,"Position":"42@1.eu-central-1.ab/p","DifferenceCount":3,"Differences":[)"
      R"({"RecordType":"user","Key":"0a","Versions":[{"Regions":["us-east-1"],"Digest":"0123456789abcdef"},{"Regions":["eu-central-1","x"],"Digest":"fedcba9876543210"}]},)"
      R"({"RecordType":"pool settings","Key":"","Versions":[{"Regions":["us-east-1"],"Missing":true},{"Regions":["eu-central-1"],"Digest":"fedcba9876543210"}]}])"));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->exit_status, 1);
  EXPECT_EQ(view->text,
            "p: eu-central-1 and us-east-1 DIFFER in 3 records at position 42\n"
            "  user 0a: us-east-1 has 0123456789ab...; eu-central-1 and x have fedcba987654...\n"
            "  pool settings: us-east-1 has none; eu-central-1 has fedcba987654...\n"
            "  and 1 more\n");
}

TEST(VerificationTest, CopiesNotAllCompared_SayWhy) {
  const auto view = ViewVerification(
      Answer(R"("Regions":[{"Region":"eu-central-1","Compared":true,"Records":50,"RecordsExpected":50},)"
             R"({"Region":"us-east-1","Compared":false,"Records":0,"RecordsExpected":0,"Problem":"does not answer"}],)"
             R"("Status":"DONE","Outcome":"INCOMPLETE","EndedAt":102,"DifferenceCount":0,"Differences":[])"));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->exit_status, 2);
  EXPECT_EQ(view->text, "p: could not be compared\n  us-east-1 was not compared: does not answer\n");
}

TEST(VerificationTest, UnderWay_SaysHowFarItIs) {
  const auto view = ViewVerification(
      Answer(R"("Regions":[{"Region":"eu-central-1","Compared":false,"Records":5,"RecordsExpected":50}],)"
             R"("Status":"READING","DifferenceCount":0,"Differences":[])"));
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->done);
  EXPECT_EQ(view->text, "reading  eu-central-1 10 %");
}

TEST(VerificationTest, AnswersThatAreNone_AreRefused) {
  for (const char* text : {"no JSON", "{}", R"({"Verification":{}})", R"({"Verification":{"Status":"DONE"}})"}) {
    const auto view = ViewVerification(text);
    EXPECT_FALSE(view && view->done) << text;
  }
}

}  // namespace
}  // namespace symbolon::cli
