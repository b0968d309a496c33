#include "cognito/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "base/manual_clock.h"
#include "cognito/answer.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPrimary = "eu-central-1";
constexpr const char* kSecondary = "us-east-1";

std::string HeaderOf(const ApiRegion::Answer& answer, std::string_view name) {
  return std::string(answer.headers.Find(name).value_or(""));
}

class PipelineTest : public testing::Test {
 protected:
  // A pool of both Regions, whose secondary is in this state.
  PoolId CreateReplicated(replication::pb::MemberState state) {
    const std::string key = here_.CreateSharedKey(there_);
    const PoolId pool =
        here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}}});
    EXPECT_EQ(here_.Call("CreateUserPoolReplica", {{"UserPoolId", pool.value()}, {"RegionName", kSecondary}}).error(),
              "");
    client_ = here_.CreateClient(pool, {{"GenerateSecret", true}, {"ExplicitAuthFlows", {"ALLOW_CLIENT_TOKEN_AUTH"}}});
    here_.SetMemberState(pool, kSecondary, state);
    there_.CopyPool(here_, pool);
    return pool;
  }

  ManualClock clock_;
  ApiRegion here_{kPrimary, clock_}, there_{kSecondary, clock_};
  std::string client_;
};

// ---- what is asked, and by whom ----

TEST_F(PipelineTest, UnknownOperationIsRefused) {
  http::Request nameless = here_.Request("ListUserPools", "{}");
  nameless.headers.Remove("X-Amz-Target");
  EXPECT_THAT(here_.Send(nameless).error(), StartsWith("UnknownOperationException: "));
  for (const char* target : {"Nonsense", "AWSCognitoIdentityProviderService.", "OtherService.ListUserPools"}) {
    const auto answer = here_.Call(target, object());
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.error(), StartsWith("UnknownOperationException: ")) << target;
  }
  EXPECT_TRUE(here_.outcomes.empty());
}

TEST_F(PipelineTest, OperationWithoutAHandlerIsNamed) {
  const object request{{"UserPoolId", "eu-central-1_x"}};
  EXPECT_EQ(here_.Call("GetSigningCertificate", request).error(),
            "UnsupportedOperationException: GetSigningCertificate is not available yet.");
  EXPECT_EQ(here_.CallUnsigned("GetSigningCertificate", request).status, 403);
}

TEST_F(PipelineTest, UnsignedAdministratorIsRefusedBeforeTheBodyIsRead) {
  for (const char* body : {R"({"MaxResults":1})", "{{{", ""}) {
    const auto answer = here_.Send(here_.Request("ListUserPools", body));
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(answer.error(), "MissingAuthenticationTokenException: Missing Authentication Token");
  }
  EXPECT_EQ(here_.outcomes["ListUserPools"], "MissingAuthenticationTokenException");
}

TEST_F(PipelineTest, WrongSignatureIsRefused) {
  const auto sign = [&](http::TestSigner signer, Timestamp at) {
    http::Request request = here_.Request("ListUserPools", R"({"MaxResults":1})");
    signer.Sign(request, at);
    return request;
  };
  const http::TestSigner good{
      .access_key_id = "AKIDTEST", .secret = "test-secret-access-key", .region = kPrimary, .service = "cognito-idp"};
  const Timestamp now = clock_.Now();
  EXPECT_EQ(here_.Send(sign(good, now)).error(), "");
  http::TestSigner signer = good;
  signer.region = kSecondary;  // a router may have moved the caller
  EXPECT_EQ(here_.Send(sign(signer, now)).error(), "");

  signer = good;
  signer.secret = "another";
  EXPECT_THAT(here_.Send(sign(signer, now)).error(), StartsWith("InvalidSignatureException: "));
  signer = good;
  signer.region = "ap-south-1";
  EXPECT_THAT(here_.Send(sign(signer, now)).error(), StartsWith("InvalidSignatureException: "));
  signer = good;
  signer.service = "kms";
  EXPECT_THAT(here_.Send(sign(signer, now)).error(), StartsWith("InvalidSignatureException: "));
  signer = good;
  signer.access_key_id = "AKIDOTHER";
  EXPECT_THAT(here_.Send(sign(signer, now)).error(), StartsWith("UnrecognizedClientException: "));
  EXPECT_THAT(here_.Send(sign(good, now - std::chrono::hours(1))).error(), StartsWith("InvalidSignatureException: "));

  http::Request altered = sign(good, now);
  altered.body = R"({"MaxResults":2})";
  EXPECT_THAT(here_.Send(altered).error(), StartsWith("InvalidSignatureException: "));
  http::Request retargeted = sign(good, now);
  retargeted.headers.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.CreateUserPool");
  EXPECT_THAT(here_.Send(retargeted).error(), StartsWith("InvalidSignatureException: "));
}

TEST_F(PipelineTest, MalformedBodyIsASerializationError) {
  std::string deep(5'000, '[');
  for (const char* body : {"{", "[]", "nonsense", R"({"MaxResults":"many"})", deep.c_str()}) {
    const auto answer = here_.CallWith("ListUserPools", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.error(), StartsWith("SerializationException: ")) << body;
  }
}

TEST_F(PipelineTest, BrokenConstraintsAreToldInAwsWords) {
  EXPECT_EQ(here_.Call("ListUserPools", {{"MaxResults", 61}}).error(),
            "InvalidParameterException: 1 validation error detected: Value '61' at 'maxResults' failed to satisfy "
            "constraint: Member must have value less than or equal to 60");
  EXPECT_THAT(here_.Call("DescribeUserPool", object()).error(),
              HasSubstr("Value null at 'userPoolId' failed to satisfy constraint: Member must not be null"));
}

TEST_F(PipelineTest, UnknownMembersAreIgnoredAndCounted) {
  EXPECT_EQ(here_.Call("ListUserPools", {{"MaxResults", 1}, {"Colour", "red"}, {"Size", {{"x", 1}}}}).error(), "");
  EXPECT_EQ(here_.last_unknown_members, 2u);
  EXPECT_EQ(here_.outcomes["ListUserPools"], "ok");
}

TEST_F(PipelineTest, UnknownPoolAndClientAreNotFound) {
  EXPECT_EQ(here_.Call("DescribeUserPool", {{"UserPoolId", "eu-central-1_none"}}).error(),
            "ResourceNotFoundException: User pool eu-central-1_none does not exist.");
  EXPECT_EQ(here_.CallUnsigned("GetClientToken", {{"ClientId", "none"}, {"Secret", std::string(32, 's')}}).error(),
            "ResourceNotFoundException: User pool client none does not exist.");
}

TEST_F(PipelineTest, TokenOfNoPoolHereIsAnInvalidToken) {
  // {"alg":"RS256","kid":"k"} {"iss":"http://eu-central-1.test/ap-south-1_Foreign", ...}, signed by nobody.
  const std::string claims =
      R"({"iss":"http://eu-central-1.test/ap-south-1_Foreign","token_use":"access","sub":"s","exp":9999999999})";
  const std::string foreign =
      Base64UrlEncode(R"({"alg":"RS256","kid":"k"})") + "." + Base64UrlEncode(claims) + "." + Base64UrlEncode("sig");
  for (const std::string& token : {foreign, std::string("a.b.c"), foreign.substr(0, 40) + "."}) {
    EXPECT_EQ(here_.CallUnsigned("GetUser", {{"AccessToken", token}}).error(),
              "NotAuthorizedException: Invalid Access Token")
        << token;
  }
}

TEST_F(PipelineTest, BodyMayBeAsLargeAsItsOperationNeeds) {
  const auto limit = [&](std::string_view operation) { return Pipeline::BodyLimitBytes(here_.Request(operation, "")); };
  EXPECT_EQ(limit("CreateUserPool"), 524'288u);
  EXPECT_EQ(limit("ListUserPools"), 65'536u);
  EXPECT_EQ(limit("Nonsense"), 65'536u);
  EXPECT_EQ(Pipeline::BodyLimitBytes(http::Request()), 65'536u);
}

// ---- answers ----

TEST_F(PipelineTest, AnswersAreForBrowsersToo) {
  const auto good = here_.Call("ListUserPools", {{"MaxResults", 1}});
  const auto bad = here_.Call("DescribeUserPool", {{"UserPoolId", "eu-central-1_none"}});
  for (const auto* answer : {&good, &bad}) {
    EXPECT_EQ(HeaderOf(*answer, "Content-Type"), "application/x-amz-json-1.1");
    EXPECT_EQ(HeaderOf(*answer, "Access-Control-Allow-Origin"), "*");
    EXPECT_THAT(HeaderOf(*answer, "Access-Control-Expose-Headers"), HasSubstr("x-amzn-ErrorType"));
    EXPECT_EQ(HeaderOf(*answer, "x-amzn-RequestId").size(), 36u);
  }
  EXPECT_NE(HeaderOf(good, "x-amzn-RequestId"), HeaderOf(bad, "x-amzn-RequestId"));
  EXPECT_EQ(HeaderOf(bad, "x-amzn-ErrorType"), "ResourceNotFoundException:");
  EXPECT_EQ(HeaderOf(bad, "x-amzn-ErrorMessage"), "User pool eu-central-1_none does not exist.");
  const http::Response preflight = Preflight();
  EXPECT_EQ(preflight.headers.Find("Access-Control-Allow-Origin"), "*");
  for (const char* name : {"content-type", "x-amz-target", "authorization", "x-amz-date", "amz-sdk-request"}) {
    EXPECT_THAT(std::string(*preflight.headers.Find("Access-Control-Allow-Headers")), HasSubstr(name));
  }
}

TEST_F(PipelineTest, MessageInAHeaderStaysOnItsLine) {
  const http::Response response =
      Failure({model::ErrorCode::kInvalidParameterException, "a\r\nX-Evil: b\x7f\xc3\xa4"}, "id");
  EXPECT_EQ(response.headers.Find("x-amzn-ErrorMessage"), "a  X-Evil: b   ");
}

TEST_F(PipelineTest, WritesNameTheirPosition) {
  const auto made = here_.Call("CreateUserPool", {{"PoolName", "p"}});
  EXPECT_THAT(HeaderOf(made, "x-symbolon-position"),
              testing::MatchesRegex("1@1\\.eu-central-1\\.[0-9a-f]{32}/" + made.text("/UserPool/Id")));
  const object pool{{"UserPoolId", made.text("/UserPool/Id")}};
  EXPECT_THAT(HeaderOf(here_.Call("UpdateUserPool", pool), "x-symbolon-position"), testing::StartsWith("2@1."));
  EXPECT_EQ(HeaderOf(here_.Call("DescribeUserPool", pool), "x-symbolon-position"), "");
}

// ---- commits ----

TEST_F(PipelineTest, WritersThatMeetPlanAgain) {
  const PoolId pool = here_.CreatePool();
  // Each reads all clients before it makes one.
  std::vector<std::pair<std::string_view, boost::json::value>> calls(
      8, {"CreateUserPoolClient", object{{"UserPoolId", pool.value()}, {"ClientName", "c"}}});
  for (const auto& answer : here_.CallTogether(calls)) EXPECT_EQ(answer.error(), "");
  const auto list = here_.Call("ListUserPoolClients", {{"UserPoolId", pool.value()}, {"MaxResults", 60}});
  EXPECT_EQ(list.at("/UserPoolClients").as_array().size(), 8u);
}

TEST_F(PipelineTest, FullDiskRefusesWritesAndServesReads) {
  const PoolId pool = here_.CreatePool();
  const object request{{"UserPoolId", pool.value()}};
  here_.store().disk().SetFull(true);
  const auto refused = here_.Call("UpdateUserPool", request);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error(), "ServiceUnavailableException: Changes cannot be stored at present.");
  EXPECT_EQ(here_.Call("DescribeUserPool", request).error(), "");
  here_.store().disk().SetFull(false);
  EXPECT_EQ(here_.Call("UpdateUserPool", request).error(), "");
}

TEST_F(PipelineTest, FailedSyncIsNoSuccessAndStopsWrites) {
  const PoolId pool = here_.CreatePool();
  const object request{{"UserPoolId", pool.value()}};
  here_.store().disk().PlanFault(storage::WriteFault::kSyncFailsLost);
  const auto unknown = here_.Call("UpdateUserPool", request);
  // SDKs would try a 500 again by themselves.
  EXPECT_EQ(unknown.status, 409);
  EXPECT_THAT(unknown.error(), StartsWith("WriteUnconfirmedException: "));
  EXPECT_EQ(here_.Call("UpdateUserPool", request).status, 503);
  EXPECT_EQ(here_.Call("DescribeUserPool", request).error(), "");
}

TEST_F(PipelineTest, WithdrawnKeyLocksThePoolAndGivesItBack) {
  const auto key = here_.key_service().CreateKey(false, "");
  ASSERT_TRUE(key);
  const PoolId pool =
      here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key->arn}}}});
  const object request{{"UserPoolId", pool.value()}};
  ASSERT_TRUE(here_.key_service().DisableKey(key->arn));
  EXPECT_THAT(here_.Call("DescribeUserPool", request).error(), StartsWith("OperationNotEnabledException: "));
  const auto listed = [&] { return here_.Call("ListUserPools", {{"MaxResults", 60}}); };
  const auto locked = listed();
  EXPECT_EQ(locked.text("/UserPools/0/Id"), pool.value());
  EXPECT_EQ(locked.text("/UserPools/0/Status"), "Disabled");
  EXPECT_TRUE(locked.at("/UserPools/0/Name").is_null());
  ASSERT_TRUE(here_.key_service().EnableKey(key->arn));
  EXPECT_EQ(here_.Call("DescribeUserPool", request).error(), "");
  EXPECT_EQ(listed().text("/UserPools/0/Name"), "pool");
  EXPECT_TRUE(listed().at("/UserPools/0/Status").is_null());
}

// ---- replicas ----

TEST_F(PipelineTest, SecondaryNamesThePrimaryForWhatOnlyThatMayDo) {
  for (const auto state : {replication::pb::CREATING, replication::pb::INACTIVE, replication::pb::ACTIVE}) {
    const PoolId pool = CreateReplicated(state);
    const object request{{"UserPoolId", pool.value()}, {"ClientName", "c"}};
    const auto refused = there_.Call("CreateUserPoolClient", request);
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.error(), StartsWith("OperationNotEnabledException: CreateUserPoolClient "));
    EXPECT_THAT(refused.error(), HasSubstr("The primary Region is eu-central-1."));
    // What it may not change of the pool, it refuses by itself (operations/tags_test.cc).
    EXPECT_EQ(there_.Call("UpdateUserPool", {{"UserPoolId", pool.value()}}).error(), "");
    EXPECT_EQ(there_.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).error(), "");
    EXPECT_EQ(here_.Call("CreateUserPoolClient", request).error(), "");
  }
}

TEST_F(PipelineTest, OnlyAnActiveSecondaryServesEndUsers) {
  const auto sign_in = [&] {
    return there_.CallUnsigned("GetClientToken", {{"ClientId", client_}, {"Secret", std::string(32, 'x')}}).error();
  };
  for (const auto state : {replication::pb::CREATING, replication::pb::INACTIVE}) {
    CreateReplicated(state);
    EXPECT_THAT(sign_in(), StartsWith("OperationNotEnabledException: GetClientToken "));
    EXPECT_THAT(sign_in(), HasSubstr("not ACTIVE"));
  }
  CreateReplicated(replication::pb::ACTIVE);
  EXPECT_THAT(sign_in(), testing::Not(HasSubstr("OperationNotEnabled")));
}

TEST_F(PipelineTest, PoolThatIsLeavingIsNotThereAnyMore) {
  const PoolId pool = CreateReplicated(replication::pb::DELETING);
  EXPECT_THAT(there_.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).error(),
              StartsWith("ResourceNotFoundException: "));
  EXPECT_TRUE(there_.Call("ListUserPools", {{"MaxResults", 60}}).at("/UserPools").as_array().empty());
  EXPECT_EQ(here_.Call("ListUserPools", {{"MaxResults", 60}}).at("/UserPools").as_array().size(), 1u);
}

}  // namespace
}  // namespace symbolon::cognito
