// The generated code at work on real shapes: what a client sends, what it is answered.
#include <gtest/gtest.h>

#include "model/cognito_operations.h"
#include "model/cognito_shapes.h"
#include "model/cognito_tables.h"
#include "model/own_shapes.h"
#include "model/own_tables.h"
#include "wire/parse.h"
#include "wire/serialise.h"

namespace symbolon::model {
namespace {

Result<wire::Request, wire::ParseError> Parse(const wire::Shape& shape, std::string_view body) {
  wire::ParseReport report;
  return wire::ParseRequest(shape, body, report);
}

std::string FailureOf(const wire::Shape& shape, std::string_view body) {
  auto result = Parse(shape, body);
  return result ? "none" : result.error().message;
}

TEST(Model, ARequestIsParsedIntoItsStruct) {
  auto request = Parse(cognito::shapes::kInitiateAuthRequest,
                       R"({"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"3n4b5urk1ft4fl3mg5e62d9ado",
                           "AuthParameters":{"USERNAME":"ann","PASSWORD":"p"}})");
  ASSERT_TRUE(request);
  const auto& initiate = request->As<cognito::InitiateAuthRequest>();
  EXPECT_EQ(initiate.AuthFlow, cognito::AuthFlowType::kUserPasswordAuth);
  EXPECT_EQ(initiate.ClientId, "3n4b5urk1ft4fl3mg5e62d9ado");
  ASSERT_TRUE(initiate.AuthParameters);
  EXPECT_EQ(initiate.AuthParameters->at("USERNAME"), "ann");
  EXPECT_FALSE(initiate.ClientMetadata);
}

TEST(Model, EveryFailedConstraintIsReportedInTheWordsOfAws) {
  EXPECT_EQ(
      FailureOf(cognito::shapes::kDescribeUserPoolRequest, "{}"),
      "1 validation error detected: Value null at 'userPoolId' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(
      FailureOf(cognito::shapes::kListUserPoolsRequest, R"({"MaxResults":61})"),
      "1 validation error detected: Value '61' at 'maxResults' failed to satisfy constraint: Member must have value "
      "less than or equal to 60");
  EXPECT_EQ(
      FailureOf(cognito::shapes::kDescribeUserPoolRequest, R"({"UserPoolId":""})"),
      "2 validation errors detected: Value '' at 'userPoolId' failed to satisfy constraint: Member must satisfy "
      "regular "
      "expression pattern: [\\w-]+_[0-9a-zA-Z]+; Value '' at 'userPoolId' failed to satisfy constraint: Member must "
      "have length greater than or equal to 1");
}

TEST(Model, AnAnswerHasTheMembersThatAreSet) {
  own::DescribeReplicationResponse response;
  response.UserPoolId = "eu-central-1_AbC123xyz";
  response.Region = "eu-central-1";
  response.Role = own::ReplicaRoleType::kPrimary;
  response.Epoch = 3;
  response.Sequence = 1000;
  response.Members.push_back({.Region = "us-east-1",
                              .Status = own::ReplicaStatusType::kActive,
                              .Role = own::ReplicaRoleType::kSecondary,
                              .LagSeconds = 0.25,
                              .LastContact = FromMicros(1520501199421000)});
  EXPECT_EQ(
      wire::Serialise(own::shapes::kDescribeReplicationResponse, &response),
      R"({"UserPoolId":"eu-central-1_AbC123xyz","Region":"eu-central-1","Role":"PRIMARY","Epoch":3,"Sequence":1000,)"
      R"("Members":[{"Region":"us-east-1","Status":"ACTIVE","Role":"SECONDARY","LagSeconds":0.25,)"
      R"("LastContact":1520501199.421}]})");
}

TEST(Model, OperationsAreFoundByTarget) {
  const OperationFacts* facts = FindOperation("AWSCognitoIdentityProviderService.GetUser");
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts, &FactsOf(cognito::Operation::kGetUser));
  EXPECT_EQ(facts->who, Who::kAccessToken);
  EXPECT_EQ(facts->where, Where::kActiveReplica);
  EXPECT_EQ(facts->username, nullptr);
  auto request = Parse(*facts->input, R"({"AccessToken":"a.b.c"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->Text(facts->access_token), "a.b.c");
  EXPECT_EQ(request->Text(facts->user_pool_id), std::nullopt);
  EXPECT_EQ(FindOperation("SymbolonService.DescribeReplication")->service, Service::kOwn);
  EXPECT_EQ(FindOperation("AWSCognitoIdentityProviderService.Nothing"), nullptr);
  EXPECT_EQ(FindOperation("GetUser"), nullptr);
  EXPECT_EQ(OperationsOf(Service::kCognito).size(), 141);
}

TEST(Model, ErrorsHaveTheStatusOfTheService) {
  EXPECT_EQ(ToString(ErrorCode::kUserNotFoundException), "UserNotFoundException");
  EXPECT_EQ(HttpStatusOf(ErrorCode::kForbiddenException), 400);
  EXPECT_EQ(HttpStatusOf(ErrorCode::kInternalErrorException), 500);
  EXPECT_EQ(ValidationErrorOf(Service::kKms), ErrorCode::kValidationException);
}

}  // namespace
}  // namespace symbolon::model
