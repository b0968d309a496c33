// After the tables of "Policy evaluation logic" (AWS IAM User Guide) and "Key policies in AWS KMS".
#include "policy/evaluate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace symbolon::policy {
namespace {

constexpr const char* kAccount = "111122223333";
constexpr const char* kKey = "arn:aws:kms:eu-central-1:111122223333:key/1";

const Vocabulary& Words() {
  static const Vocabulary words({{"kms", {"Encrypt", "Decrypt"}}});
  return words;
}

std::shared_ptr<const Document> Parse(std::string_view statements, DocumentKind kind) {
  const auto document =
      Document::Parse(fmt::format(R"({{"Version":"2012-10-17","Statement":[{}]}})", statements), kind, Words());
  SYMBOLON_CHECK(document.has_value());
  return std::make_shared<const Document>(*document);
}

const std::string kAllowIdentity = R"({"Effect":"Allow","Action":"kms:*","Resource":"*"})";
const std::string kDenyIdentity = R"({"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"})";
std::string KeyStatement(std::string_view effect, std::string_view principal) {
  return fmt::format(R"({{"Effect":"{}","Principal":{},"Action":"kms:*","Resource":"*"}})", effect, principal);
}
const std::string kRoot = R"({"AWS":"arn:aws:iam::111122223333:root"})";
const std::string kAnn = R"({"AWS":"arn:aws:iam::111122223333:user/ann"})";
const std::string kBob = R"({"AWS":"arn:aws:iam::111122223333:user/bob"})";
const std::string kService = R"({"Service":"cognito-idp.amazonaws.com"})";

class EvaluateTest : public testing::Test {
 protected:
  // As a key policy of these statements, with identity policies of those, decides on a Decrypt.
  static Outcome Decide(const Principal& principal, const std::string& key_policy,
                        const std::vector<std::string>& identity = {}, bool granted = false) {
    Documents documents;
    for (const std::string& statements : identity) documents.push_back(Parse(statements, DocumentKind::kIdentity));
    const Context context;
    const Request request{.principal = principal, .action = "kms:Decrypt", .resource = kKey, .context = context};
    return DecideByResource(*Parse(key_policy, DocumentKind::kResource), documents, request, granted);
  }

  const Principal ann_ = Principal::User(kAccount, "ann");
  const Principal root_ = Principal::Root(kAccount);
  const Principal service_ = Principal::Service("cognito-idp.amazonaws.com");
};

TEST_F(EvaluateTest, IdentityPoliciesDecideByThemselvesWhereNothingElseDoes) {
  const Context context;
  const auto decide = [&](const Principal& principal, std::vector<std::string> policies) {
    Documents documents;
    for (const auto& statements : policies) documents.push_back(Parse(statements, DocumentKind::kIdentity));
    return DecideByIdentity(documents,
                            {.principal = principal, .action = "kms:Decrypt", .resource = kKey, .context = context});
  };
  EXPECT_EQ(decide(ann_, {}), Outcome::kNotAllowedByIdentityPolicy);
  EXPECT_EQ(decide(ann_, {kAllowIdentity}), Outcome::kAllowed);
  EXPECT_EQ(decide(ann_, {kAllowIdentity, kDenyIdentity}), Outcome::kDeniedByIdentityPolicy);
  EXPECT_EQ(decide(ann_, {kDenyIdentity, kAllowIdentity}), Outcome::kDeniedByIdentityPolicy);
  EXPECT_EQ(decide(ann_, {R"({"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"})"}),
            Outcome::kNotAllowedByIdentityPolicy);
  EXPECT_EQ(decide(ann_, {R"({"Effect":"Allow","NotAction":"kms:Encrypt","Resource":"*"})"}), Outcome::kAllowed);
  EXPECT_EQ(decide(ann_, {R"({"Effect":"Allow","Action":"KMS:dec*","Resource":"arn:aws:kms:*:*:key/1"})"}),
            Outcome::kAllowed);
  EXPECT_EQ(decide(ann_, {R"({"Effect":"Allow","Action":"kms:*","NotResource":"arn:aws:kms:*:*:key/1"})"}),
            Outcome::kNotAllowedByIdentityPolicy);
  EXPECT_EQ(decide(root_, {}), Outcome::kAllowed);
  EXPECT_EQ(decide(service_, {}), Outcome::kNotAllowedByIdentityPolicy);
}

TEST_F(EvaluateTest, KeyPolicyDecidesAndMayLeaveItToTheAccount) {
  using enum Outcome;
  const std::string to_root = KeyStatement("Allow", kRoot);
  const std::string to_ann = KeyStatement("Allow", kAnn);
  const std::string to_bob = KeyStatement("Allow", kBob);
  const std::string to_all = KeyStatement("Allow", "\"*\"");
  // Without the account in it, identity policies count for nothing.
  EXPECT_EQ(Decide(ann_, to_bob, {kAllowIdentity}), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(ann_, to_ann), kAllowed);
  EXPECT_EQ(Decide(ann_, to_all), kAllowed);
  EXPECT_EQ(Decide(ann_, to_root), kNotAllowedByIdentityPolicy);
  EXPECT_EQ(Decide(ann_, to_root, {kAllowIdentity}), kAllowed);
  EXPECT_EQ(Decide(ann_, KeyStatement("Allow", R"({"AWS":"111122223333"})"), {kAllowIdentity}), kAllowed);
  EXPECT_EQ(Decide(ann_, KeyStatement("Allow", R"({"AWS":"444455556666"})"), {kAllowIdentity}),
            kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(root_, to_root), kAllowed);
  EXPECT_EQ(Decide(root_, to_ann), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service_, to_root), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service_, KeyStatement("Allow", kService)), kAllowed);
  EXPECT_EQ(Decide(Principal::Service("identitystore.amazonaws.com"), KeyStatement("Allow", kService)),
            kNotAllowedByResourcePolicy);
}

TEST_F(EvaluateTest, DenyWinsWhereverItStands) {
  using enum Outcome;
  const std::string to_ann = KeyStatement("Allow", kAnn);
  const auto with_deny = [&](const std::string& principal) { return to_ann + "," + KeyStatement("Deny", principal); };
  EXPECT_EQ(Decide(ann_, with_deny(kAnn), {kAllowIdentity}, /*granted=*/true), kDeniedByResourcePolicy);
  // A Deny of the account is one of everybody in it.
  EXPECT_EQ(Decide(ann_, with_deny(kRoot), {kAllowIdentity}), kDeniedByResourcePolicy);
  EXPECT_EQ(Decide(ann_, with_deny(kBob)), kAllowed);
  EXPECT_EQ(Decide(ann_, to_ann, {kDenyIdentity}), kDeniedByIdentityPolicy);
  EXPECT_EQ(Decide(ann_, to_ann, {kDenyIdentity}, /*granted=*/true), kDeniedByIdentityPolicy);
  const std::string all_but = R"({"Effect":"Deny","NotPrincipal":)";
  const std::string rest = R"(,"Action":"kms:*","Resource":"*"})";
  EXPECT_EQ(Decide(ann_, to_ann + "," + all_but + kAnn + rest), kAllowed);
  EXPECT_EQ(Decide(ann_, to_ann + "," + all_but + kBob + rest), kDeniedByResourcePolicy);
  EXPECT_EQ(Decide(ann_, to_ann + "," + all_but + kRoot + rest), kDeniedByResourcePolicy);
}

TEST_F(EvaluateTest, GrantStandsInForAnAllow) {
  using enum Outcome;
  EXPECT_EQ(Decide(ann_, KeyStatement("Allow", kBob), {}, /*granted=*/true), kAllowed);
  EXPECT_EQ(Decide(ann_, KeyStatement("Allow", kBob), {}, /*granted=*/false), kNotAllowedByResourcePolicy);
}

TEST_F(EvaluateTest, RefusalsReadAsAwsWritesThem) {
  const Context context;
  const Request request{.principal = ann_, .action = "kms:Decrypt", .resource = kKey, .context = context};
  EXPECT_EQ(
      Refusal(request, Outcome::kNotAllowedByIdentityPolicy),
      "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:Decrypt on resource: "
      "arn:aws:kms:eu-central-1:111122223333:key/1 because no identity-based policy allows the kms:Decrypt action");
  EXPECT_EQ(Refusal(request, Outcome::kDeniedByResourcePolicy),
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:Decrypt on resource: "
            "arn:aws:kms:eu-central-1:111122223333:key/1 with an explicit deny in a resource-based policy");
}

// The five statements of AWS's documented key policy for pools.
class PoolKeyPolicyTest : public testing::Test {
 protected:
  static Outcome Decide(const Principal& principal, std::string_view action,
                        const std::vector<std::pair<std::string, std::string>>& keys) {
    static const Vocabulary words({{"kms", {"Encrypt", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext"}}});
    const auto policy = Document::Parse(R"({"Version":"2012-10-17","Statement":[
      {"Sid":"service","Effect":"Allow","Principal":{"Service":["cognito-idp.amazonaws.com","identitystore.amazonaws.com"]},
       "Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKeyWithoutPlainText"],"Resource":"*",
       "Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:cognito-idp:eu-central-1:111122223333:userpool/p"},
         "StringEquals":{"aws:SourceAccount":"111122223333"},
         "StringLike":{"kms:EncryptionContext:aws:cognito-idp:userpool-arn":"arn:aws:cognito-idp:eu-central-1:111122223333:userpool/p"}}},
      {"Sid":"via","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:DescribeKey","Resource":"*",
       "Condition":{"StringEquals":{"kms:ViaService":"cognito-idp.eu-central-1.amazonaws.com","kms:CallerAccount":"111122223333"}}}
      ]})",
                                        DocumentKind::kResource, words);
    SYMBOLON_CHECK(policy.has_value());
    Context context;
    for (const auto& [key, value] : keys) context.Add(key, value);
    return DecideByResource(*policy, {},
                            {.principal = principal, .action = action, .resource = kKey, .context = context}, false);
  }
  const std::string pool_ = "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/p";
  const std::string context_key_ = "kms:EncryptionContext:aws:cognito-idp:userpool-arn";
};

TEST_F(PoolKeyPolicyTest, ServicesMayForThatPoolOnly) {
  using enum Outcome;
  const Principal service = Principal::Service("identitystore.amazonaws.com");
  const auto with = [&](const std::string& arn, const std::string& account, const std::string& context) {
    return std::vector<std::pair<std::string, std::string>>{
        {"aws:SourceArn", arn}, {"aws:SourceAccount", account}, {context_key_, context}};
  };
  EXPECT_EQ(Decide(service, "kms:GenerateDataKeyWithoutPlaintext", with(pool_, kAccount, pool_)), kAllowed);
  EXPECT_EQ(Decide(service, "kms:Decrypt", with(pool_, kAccount, pool_)), kAllowed);
  EXPECT_EQ(Decide(service, "kms:Decrypt", with(pool_ + "q", kAccount, pool_)), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service, "kms:Decrypt", with(pool_, "444455556666", pool_)), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service, "kms:Decrypt", with(pool_, kAccount, pool_ + "q")), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service, "kms:Decrypt", {{"aws:SourceArn", pool_}, {"aws:SourceAccount", kAccount}}),
            kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(service, "kms:DescribeKey", with(pool_, kAccount, pool_)), kNotAllowedByResourcePolicy);
}

TEST_F(PoolKeyPolicyTest, PeopleMayThroughTheServiceOnly) {
  using enum Outcome;
  const Principal ann = Principal::User(kAccount, "ann");
  EXPECT_EQ(Decide(ann, "kms:DescribeKey", {{"kms:CallerAccount", kAccount}}), kNotAllowedByResourcePolicy);
  EXPECT_EQ(Decide(ann, "kms:DescribeKey",
                   {{"kms:CallerAccount", kAccount}, {"kms:ViaService", "cognito-idp.eu-central-1.amazonaws.com"}}),
            kAllowed);
}

}  // namespace
}  // namespace symbolon::policy
