#include "cli/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/test_support.h"

namespace symbolon::cli {
namespace {

using ::testing::HasSubstr;

TEST(AuditTest, Times_AreThoseOfRecordsOrSoMuchAgo) {
  const Timestamp now = FromSeconds(1'800'000'000);  // 2027-01-15T08:00:00Z
  EXPECT_EQ(AuditTime("2026-11-28T11:05:09Z", now).value(), "2026-11-28T11:05:09Z");
  EXPECT_EQ(AuditTime("2026-11-28", now).value(), "2026-11-28T00:00:00Z");
  EXPECT_EQ(AuditTime("90s", now).value(), "2027-01-15T07:58:30Z");
  EXPECT_EQ(AuditTime("2h", now).value(), "2027-01-15T06:00:00Z");
  EXPECT_EQ(AuditTime("7d", now).value(), "2027-01-08T08:00:00Z");
  for (const char* bad : {"", "yesterday", "7", "-7d", "7w", "2026-11", "2026-11-28T11:05:09", "99999999d"}) {
    EXPECT_FALSE(AuditTime(bad, now)) << bad;
  }
}

TEST(AuditTest, FolderOfATrail_IsWhereTheConfigurationSays) {
  EXPECT_EQ(AuditFolderOf("data_dir = \"data\"", "/etc/s").value(), "/etc/s/data/audit");
  EXPECT_EQ(AuditFolderOf("data_dir = \"/data\"\n[audit]\ndirectory = \"/trail\"", "/etc/s").value(), "/trail");
  EXPECT_FALSE(AuditFolderOf("region = \"eu-central-1\"", "/etc/s"));
  EXPECT_FALSE(AuditFolderOf("= x", "/etc/s"));
}

TEST(AuditTest, Records_AreOneLineForPeople) {
  EXPECT_EQ(AuditLine(R"({"userIdentity":{"type":"AWSService","invokedBy":"cognito-idp.amazonaws.com"},)"
                      R"("eventTime":"2026-11-28T11:05:09Z","eventName":"Decrypt","requestParameters":{"keyId":"k",)"
                      R"("encryptionContext":{"aws:cognito-idp:userpool-arn":"arn:aws:cognito-idp:r:0:userpool/p"}},)"
                      R"("resources":[{"ARN":"arn:aws:kms:r:0:key/1"}]})"),
            "2026-11-28T11:05:09Z  Decrypt                          cognito-idp.amazonaws.com  key/1  userpool/p  ok");
  EXPECT_THAT(AuditLine(R"({"userIdentity":{"type":"Root","arn":"arn:aws:iam::0:root","accessKeyId":"A"},)"
                        R"("eventTime":"t","eventName":"CreateKey","errorCode":"LimitExceededException"})"),
              HasSubstr("CreateKey                        root A  -  -  LimitExceededException"));
  EXPECT_THAT(
      AuditLine(R"({"userIdentity":{"type":"AWSService","invokedBy":"s"},"eventTime":"t","eventName":"Decrypt",)"
                R"("additionalEventData":{"count":30,"firstEventTime":"t0","lastEventTime":"t"}})"),
      HasSubstr("  ok 30 times since t0"));
  EXPECT_THAT(AuditLine(R"({"userIdentity":{"type":"Root","arn":"arn:aws:iam::0:root","accessKeyId":"A"},)"
                        R"("eventTime":"t","eventName":"CreateUserPool","requestParameters":{},)"
                        R"("additionalEventData":{"userPoolId":"p"}})"),
              HasSubstr("root A  -  p  ok"));
}

TEST(AuditTest, TrailsOfTwoRegions_AreVerifiedByEachOther) {
  audit::TestTrail here;
  audit::TestTrail there;
  there.options.region = Region("us-east-1");
  {
    const auto trail = here.Open();
    ASSERT_TRUE(there.Open()->RecordWitness(Region("eu-central-1"), trail->head()));
  }
  AuditFlags flags{.trails = {here.directory, there.directory}};
  EXPECT_TRUE(VerifyAudit(flags));
  // The first Region's trail is replaced as a whole, with its key.
  audit::TestTrail forged;
  forged.Open().reset();
  flags.trails[0] = forged.directory;
  const auto found = VerifyAudit(flags);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().exit_status, 1);
  EXPECT_EQ(VerifyAudit({.trails = {"/nowhere"}}).error().exit_status, 2);
}

TEST(AuditTest, CheckpointOutside_IsInTheFolderOfKeys) {
  EXPECT_EQ(OutsideCheckpointOf("data_dir = \"data\"", "/etc/s").value(), "/etc/s/data/keys/audit.checkpoint");
  EXPECT_EQ(OutsideCheckpointOf("[keys]\nroot_key_file = \"/k/root.key\"", "/etc/s").value(),
            "/k/keys/audit.checkpoint");
  EXPECT_FALSE(OutsideCheckpointOf("region = \"eu-central-1\"", "/etc/s"));
}

TEST(AuditTest, PublicKeysAndCheckpointsOfSeveralTrails_AreGivenInTheirOrder) {
  audit::TestTrail here;
  audit::TestTrail there;
  there.options.region = Region("us-east-1");
  for (audit::TestTrail* test : {&here, &there}) {
    test->options.outside_file = test->folder.path() / "outside";
    test->Open().reset();
  }
  const std::string first = Base64Encode(here.key.PublicKey()), second = Base64Encode(there.key.PublicKey());
  AuditFlags flags{.trails = {here.directory, there.directory}, .public_keys = {first, second}};
  EXPECT_TRUE(VerifyAudit(flags));
  flags.checkpoints = {here.options.outside_file, there.options.outside_file};
  EXPECT_TRUE(VerifyAudit(flags));
  flags.public_keys = {second, first};
  EXPECT_EQ(VerifyAudit(flags).error().exit_status, 1);
  flags.public_keys = {first};
  EXPECT_THAT(VerifyAudit(flags).error().message, HasSubstr("one for each of the 2 trails"));
  flags.public_keys = {};
  flags.checkpoints = {there.options.outside_file, here.options.outside_file};
  EXPECT_EQ(VerifyAudit(flags).error().exit_status, 1);
}

TEST(AuditTest, PublicKey_IsBase64OrAFile) {
  audit::TestTrail test;
  test.Open().reset();
  AuditFlags flags{.trails = {test.directory}};
  flags.public_keys = {Base64Encode(test.key.PublicKey())};
  EXPECT_TRUE(VerifyAudit(flags));
  flags.public_keys = {(test.directory / audit::kPublicKeyFile).string()};
  EXPECT_TRUE(VerifyAudit(flags));
  flags.public_keys = {Base64Encode(Bytes(32, 'x'))};
  EXPECT_FALSE(VerifyAudit(flags));
  flags.public_keys = {"nonsense"};
  EXPECT_THAT(VerifyAudit(flags).error().message, HasSubstr("--public-key"));
}

}  // namespace
}  // namespace symbolon::cli
