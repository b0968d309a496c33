#include "audit/event.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace symbolon::audit {
namespace {

namespace json = boost::json;

const Region kRegion("eu-central-1");

json::value Record(const Event& event) {
  const std::string text = ToJson(event, kRegion, "000000000000", "request-1", "event-1");
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return json::parse(text);
}

TEST(EventTest, UseByTheService_IsACloudTrailRecord) {
  const Event event{.time = FromSeconds(1'800'000'000),
                    .identity = {.invoked_by = "cognito-idp.amazonaws.com"},
                    .name = "Decrypt",
                    .source_address = "cognito-idp.amazonaws.com",
                    .user_agent = "cognito-idp.amazonaws.com",
                    .request_parameters = R"({"keyId":"arn:key","encryptionContext":{"a":"b"}})",
                    .read_only = true,
                    .key_arns = {"arn:key"}};
  EXPECT_EQ(Record(event), json::parse(R"({
    "eventVersion": "1.11",
    "userIdentity": {"type": "AWSService", "invokedBy": "cognito-idp.amazonaws.com"},
    "eventTime": "2027-01-15T08:00:00Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Decrypt",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "cognito-idp.amazonaws.com",
    "userAgent": "cognito-idp.amazonaws.com",
    "requestParameters": {"keyId": "arn:key", "encryptionContext": {"a": "b"}},
    "responseElements": null,
    "requestID": "request-1",
    "eventID": "event-1",
    "readOnly": true,
    "resources": [{"ARN": "arn:key", "accountId": "000000000000", "type": "AWS::KMS::Key"}],
    "eventType": "AwsApiCall",
    "managementEvent": true,
    "recipientAccountId": "000000000000",
    "eventCategory": "Management"})"));
}

TEST(EventTest, RefusedCallOfAPerson_NamesThemAndTheError) {
  const Event event{.time = FromSeconds(0),
                    .identity = {.type = Identity::Type::kIamUser,
                                 .arn = "arn:aws:iam::000000000000:user/alice",
                                 .user_name = "alice",
                                 .access_key_id = "AKIA1"},
                    .name = "DisableKey",
                    .source_address = "192.0.2.1",
                    .user_agent = "aws-cli/2",
                    .error_code = "AccessDeniedException",
                    .error_message = "not allowed"};
  const json::value record = Record(event);
  EXPECT_EQ(record.at("userIdentity"), json::parse(R"({"type": "IAMUser", "arn": "arn:aws:iam::000000000000:user/alice",
    "accountId": "000000000000", "accessKeyId": "AKIA1", "userName": "alice"})"));
  EXPECT_EQ(record.at("errorCode"), "AccessDeniedException");
  EXPECT_EQ(record.at("errorMessage"), "not allowed");
  EXPECT_EQ(record.at("requestParameters"), nullptr);
  EXPECT_EQ(record.at("readOnly"), false);
}

TEST(EventTest, WhatAClientSaysOfItself_IsBoundedAndPrintable) {
  const Event event{.name = "ListKeys", .user_agent = "a\x01\xff\n" + std::string(1000, 'x')};
  const std::string agent(Record(event).at("userAgent").as_string());
  EXPECT_EQ(agent.size(), 256U);
  EXPECT_TRUE(agent.starts_with("a???x"));
}

TEST(EventTest, LargeRequestParameters_AreLeftOut) {
  const Event event{.name = "CreateKey",
                    .request_parameters = "{\"a\":\"" + std::string(kRequestParametersBytesMax, 'x') + "\"}"};
  EXPECT_EQ(Record(event).at("requestParameters"), json::parse(R"({"omitted": "65544 octets"})"));
}

TEST(EventTest, ReadOnly_IsWhatChangesNothing) {
  for (const char* reading : {"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKeyWithoutPlaintext", "ListKeys"}) {
    EXPECT_TRUE(IsReadOnly(reading)) << reading;
  }
  for (const char* changing : {"CreateKey", "DisableKey", "EnableKey", "ReplicateKey", "ScheduleKeyDeletion"}) {
    EXPECT_FALSE(IsReadOnly(changing)) << changing;
  }
}

}  // namespace
}  // namespace symbolon::audit
