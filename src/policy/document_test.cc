#include "policy/document.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace symbolon::policy {
namespace {

const Vocabulary& Words() {
  static const Vocabulary words({{"kms", {"Encrypt", "Decrypt", "PutKeyPolicy"}}, {"cognito-idp", {"AdminGetUser"}}});
  return words;
}

std::string ErrorOf(std::string_view json, DocumentKind kind) {
  const auto document = Document::Parse(json, kind, Words());
  return document ? "" : document.error().message;
}
// Of a key policy with one statement, to which these members are added.
std::string KeyPolicyError(std::string_view members) {
  return ErrorOf(fmt::format(R"({{"Version":"2012-10-17","Statement":{{{}}}}})", members), DocumentKind::kResource);
}

TEST(DocumentTest, WhatAwsDocumentsIsTaken) {
  EXPECT_EQ(ErrorOf(R"({
    "Version": "2012-10-17", "Id": "key-default-1",
    "Statement": [
      {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
       "Action": "kms:*", "Resource": "*"},
      {"Sid": "Use", "Effect": "Allow",
       "Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:user/ann"], "Service": "cognito-idp.amazonaws.com"},
       "Action": ["kms:Encrypt", "KMS:decrypt", "kms:*Policy"],
       "Resource": "arn:aws:kms:*:111122223333:key/*",
       "Condition": {"StringEquals": {"kms:ViaService": ["cognito-idp.eu-central-1.amazonaws.com"], "kms:CallerAccount": "111122223333"},
                     "ForAnyValue:StringLike": {"kms:EncryptionContextKeys": "aws:*"}}},
      {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/ann"}, "NotAction": "kms:Encrypt", "NotResource": "*"}
    ]})",
                    DocumentKind::kResource),
            "");
  EXPECT_EQ(
      ErrorOf(R"({"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"cognito-idp:*","Resource":"*"}})",
              DocumentKind::kIdentity),
      "");
  EXPECT_EQ(KeyPolicyError(R"("Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{})"), "");
}

TEST(DocumentTest, WhatIsNotUnderstoodIsRefused) {
  constexpr const char* kRest = R"("Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*")";
  struct Row {
    std::string members;
    const char* error;
  };
  const Row rows[] = {
      {R"("Effect":"Allow","Principal":"*","Action":"kms:Encrypt")", "has neither Resource nor NotResource"},
      {R"("Effect":"Allow","Principal":"*","Resource":"*")", "has neither Action nor NotAction"},
      {R"("Effect":"Allow","Action":"kms:Encrypt","Resource":"*")", "has neither Principal nor NotPrincipal"},
      {R"("Principal":"*","Action":"kms:Encrypt","Resource":"*")", "has no Effect"},
      {R"("Effect":"allow","Principal":"*","Action":"kms:Encrypt","Resource":"*")", "Effect must be Allow or Deny"},
      {fmt::format(R"({},"Conditions":{{}})", kRest), "Conditions is no element of a statement"},
      {fmt::format(R"({},"Condition":{{"StringEquals":"x"}})", kRest),
       "Condition has \"StringEquals\", which must be an object of keys and values"},
      {fmt::format(R"({},"Condition":{{"StringEquals":{{"aws:Nothing":"x"}}}})", kRest),
       "Condition is wrong: \"aws:Nothing\" is no condition key that is known here"},
      {fmt::format(R"({},"NotAction":"kms:Decrypt")", kRest), "NotAction stands beside its opposite"},
      {fmt::format(R"({},"NotPrincipal":"*")", kRest), "NotPrincipal stands beside its opposite"},
      {R"("Effect":"Allow","NotPrincipal":"*","Action":"kms:Encrypt","Resource":"*")",
       "allows by NotPrincipal: this is taken with the Effect Deny only"},
      {R"("Effect":"Allow","Principal":{"Federated":"x"},"Action":"kms:Encrypt","Resource":"*")",
       "Principal has \"Federated\": AWS and Service are known here"},
      {R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/r"},"Action":"kms:Encrypt","Resource":"*")",
       "Principal has the invalid principal \"arn:aws:iam::111122223333:role/r\""},
      {R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/a*"},"Action":"kms:Encrypt","Resource":"*")",
       "Principal has the invalid principal \"arn:aws:iam::111122223333:user/a*\""},
      {R"("Effect":"Allow","Principal":{"Service":"cognito-idp"},"Action":"kms:Encrypt","Resource":"*")",
       "Principal has the invalid principal \"cognito-idp\""},
      {R"("Effect":"Allow","Principal":"ann","Action":"kms:Encrypt","Resource":"*")",
       "Principal must be \"*\" or an object"},
      {R"("Effect":"Allow","Principal":"*","Action":"kms:Encrpyt","Resource":"*")",
       "Action \"kms:Encrpyt\" is no action that is known here"},
      {R"("Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*")",
       "Action \"s3:*\" is no action that is known here"},
      {R"("Effect":"Allow","Principal":"*","Action":[],"Resource":"*")", "Action must name 1 to 512"},
      {R"("Effect":"Allow","Principal":"*","Action":["kms:Encrypt",7],"Resource":"*")",
       "Action must be a text or a list of texts"},
      {R"("Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"key/1")", "Resource \"key/1\" is no ARN"},
      {R"("Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"arn:aws:kms:*:*:${aws:nobody}")",
       "Resource \"arn:aws:kms:*:*:${aws:nobody}\" is no ARN"},
      {R"("Sid":7,"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*")", "Sid must be a text"},
  };
  for (const Row& row : rows) EXPECT_EQ(KeyPolicyError(row.members), fmt::format("Statement 1: {}.", row.error));
}

TEST(DocumentTest, FrameOfThePolicyIsChecked) {
  constexpr DocumentKind kKind = DocumentKind::kIdentity;
  constexpr const char* kStatement = R"({"Effect":"Allow","Action":"*","Resource":"*"})";
  EXPECT_EQ(ErrorOf("", kKind), "The policy is refused: it is not JSON: incomplete JSON.");
  EXPECT_EQ(ErrorOf("[]", kKind), "The policy must be a JSON object.");
  EXPECT_EQ(ErrorOf("{}", kKind), "The policy has no Statement.");
  EXPECT_EQ(ErrorOf(R"({"Statement":[]})", kKind), "The policy must have 1 to 256 statements.");
  EXPECT_EQ(ErrorOf(R"({"Statement":[7]})", kKind), "Statement 1: must be an object.");
  EXPECT_EQ(ErrorOf(fmt::format(R"({{"Version":"2020-01-01","Statement":{}}})", kStatement), kKind),
            "Version must be 2012-10-17 or 2008-10-17.");
  EXPECT_EQ(ErrorOf(fmt::format(R"({{"Comment":"x","Statement":{}}})", kStatement), kKind),
            "\"Comment\" is no element of a policy.");
  EXPECT_EQ(ErrorOf(R"({"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}})", kKind),
            "The policy is refused: \"Effect\" stands in it twice.");
  EXPECT_EQ(ErrorOf(R"({"Statement":[{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"},
                                     {"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]})",
                    kKind),
            "Statement 2: Sid is that of another statement, too.");
  EXPECT_EQ(ErrorOf(R"({"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}})", kKind),
            "Statement 1: names a Principal, which is the user whose policy this is.");
  EXPECT_EQ(ErrorOf(std::string(32'769, ' '), kKind), "The policy is larger than 32768 octets.");
  EXPECT_EQ(ErrorOf(std::string(1'000, '['), kKind), "The policy is refused: it is not JSON: too deep.");
  std::string many = R"({"Statement":[)";
  for (int i = 0; i < 257; ++i) many += fmt::format("{}{}", i == 0 ? "" : ",", kStatement);
  EXPECT_EQ(ErrorOf(many + "]}", kKind), "The policy must have 1 to 256 statements.");
}

}  // namespace
}  // namespace symbolon::policy
