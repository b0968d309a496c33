#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <set>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A Region whose calls are audited.
class PipelineAuditTest : public testing::Test {
 protected:
  PipelineAuditTest() {
    Services services = region_.services();
    services.audit = trail_.get();
    services.call_key_service = [this](const policy::Caller&, const model::OperationFacts&,
                                       const wire::Request&) -> model::ApiResult<std::string> {
      ++key_calls_;
      return R"({"Keys":[]})";
    };
    services.keys_of_call = [](const model::OperationFacts& operation, const wire::Request&) {
      return std::vector<std::string>{"arn:of:" + std::string(operation.name)};
    };
    pipeline_.emplace(std::move(services));
  }

  // The answer's body.
  std::string Send(http::Request request) {
    boost::asio::io_context context;
    std::string body;
    boost::asio::co_spawn(context, pipeline_->Handle(std::move(request)),
                          [&](const std::exception_ptr& failure, http::Response response) {
                            ASSERT_FALSE(failure);
                            body = std::move(response.body);
                          });
    context.run();
    return body;
  }
  std::string Call(std::string_view operation, const std::string& body) {
    http::Request request = region_.Request(operation, body);
    const http::TestSigner signer{.access_key_id = "AKIDTEST",
                                  .secret = "test-secret-access-key",
                                  .region = "eu-central-1",
                                  .service = operation.starts_with("TrentService.") ? "kms" : "cognito-idp"};
    signer.Sign(request, clock_.Now());
    request.peer_address = "192.0.2.7";
    return Send(std::move(request));
  }
  std::vector<std::string> Records() {
    std::vector<std::string> records;
    SYMBOLON_CHECK(audit::ForEachEvent(test_.directory, {}, [&](auto record) { records.emplace_back(record); }));
    return records;
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  audit::TestTrail test_;
  std::unique_ptr<audit::Trail> trail_ = test_.Open();
  int key_calls_ = 0;
  std::optional<Pipeline> pipeline_;
};

TEST_F(PipelineAuditTest, CallsAboutKeysAndSuffixes_AreInTheTrailAndOthersAreNot) {
  EXPECT_EQ(Call("TrentService.ListKeys", R"({"Limit":7})"), R"({"Keys":[]})");
  EXPECT_THAT(Call("TrentService.DescribeKey", "{}"), HasSubstr("Exception"));
  EXPECT_THAT(Call("ListUserPools", R"({"MaxResults":10})"), HasSubstr("UserPools"));
  const PoolId pool = region_.CreatePool();
  EXPECT_THAT(Call("SymbolonService.DescribeReplicationSuffix",
                   R"({"UserPoolId":")" + pool.value() + R"(","Name":"some-suffix"})"),
              HasSubstr("Exception"));
  EXPECT_THAT(
      Records(),
      ElementsAre(
          AllOf(HasSubstr(R"("eventName":"ListKeys")"), HasSubstr(R"("requestParameters":{"limit":7})"),
                HasSubstr(R"("sourceIPAddress":"192.0.2.7")"), HasSubstr(R"("accessKeyId":")"),
                HasSubstr(R"("eventSource":"kms.amazonaws.com")"), Not(HasSubstr("errorCode"))),
          AllOf(HasSubstr(R"("eventName":"DescribeKey")"), HasSubstr(R"("errorCode":"ValidationException")")),
          AllOf(HasSubstr(R"("eventName":"DescribeReplicationSuffix")"), HasSubstr(R"("eventSource":"symbolon")"),
                HasSubstr(pool.value()), HasSubstr(R"("errorCode":"ResourceNotFoundException")"))));
}

TEST_F(PipelineAuditTest, WhoMakesChangesAndEndsAPoolsKey_IsInTheTrailWithBothKeys) {
  const std::string first = region_.key_service().CreateKey(false, "").value().arn;
  const std::string second = region_.key_service().CreateKey(false, "").value().arn;
  const auto choose = [](const std::string& arn) {
    return R"({"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":")" + arn + R"("})";
  };
  const std::string made =
      Call("CreateUserPool", R"({"PoolName":"planted-name","KeyConfiguration":)" + choose(first) + "}");
  const std::string pool(boost::json::parse(made).at("UserPool").at("Id").as_string());
  const std::string this_pool = R"({"UserPoolId":")" + pool + '"';
  EXPECT_EQ(Call("UpdateUserPool", this_pool + R"(,"KeyConfiguration":)" + choose(second) + "}"), "{}");
  EXPECT_EQ(Call("UpdateUserPool", this_pool + R"(,"MfaConfiguration":"OFF"})"), "{}") << "the key stays";
  EXPECT_THAT(Call("UpdateUserPool", this_pool + R"(,"KeyConfiguration":)" + choose(first + "0") + "}"),
              HasSubstr("InvalidParameterException"));
  EXPECT_EQ(Call("DeleteUserPool", this_pool + "}"), "{}");

  const auto resource = [](const std::string& arn) { return HasSubstr(R"({"ARN":")" + arn + R"(",)"); };
  const auto before = [](const std::string& arn) { return HasSubstr(R"("poolKmsKeyArn":")" + arn + '"'); };
  EXPECT_THAT(Records(),
              ElementsAre(AllOf(HasSubstr(R"("eventName":"CreateUserPool")"),
                                HasSubstr(R"("additionalEventData":{"userPoolId":")" + pool),
                                HasSubstr(R"("requestParameters":{"keyConfiguration":)"), resource(first),
                                HasSubstr(R"("eventSource":"cognito-idp.amazonaws.com")"), Not(HasSubstr("planted")),
                                HasSubstr(R"("sourceIPAddress":"192.0.2.7")"), Not(HasSubstr("errorCode"))),
                          AllOf(HasSubstr(R"("eventName":"UpdateUserPool")"), before(first), resource(first),
                                resource(second), HasSubstr(pool), Not(HasSubstr("errorCode"))),
                          AllOf(HasSubstr(R"("eventName":"UpdateUserPool")"), before(second), resource(second),
                                HasSubstr(R"("errorCode":"InvalidParameterException")")),
                          AllOf(HasSubstr(R"("eventName":"DeleteUserPool")"), before(second), resource(second),
                                Not(HasSubstr("errorCode")))));
}

TEST_F(PipelineAuditTest, KeysThatTheServiceSaysACallIsAbout_AreInTheTrail) {
  EXPECT_THAT(Call("TrentService.DeleteAlias", R"({"AliasName":"alias/a"})"), HasSubstr("Keys"));
  EXPECT_THAT(Records(), ElementsAre(HasSubstr(R"("resources":[{"ARN":"arn:of:DeleteAlias")")));
}

TEST_F(PipelineAuditTest, CallsOfStrangers_AreNotWritten) {
  EXPECT_THAT(Send(region_.Request("TrentService.ListKeys", "{}")), HasSubstr("MissingAuthenticationToken"));
  EXPECT_THAT(Records(), IsEmpty());
}

TEST_F(PipelineAuditTest, DiskThatTakesNoLines_AnswersAreWithheldAndThenNothingIsDone) {
  {
    const audit::FullDisk full(1);
    EXPECT_THAT(Call("TrentService.ListKeys", "{}"), HasSubstr("KMSInternalException"));
    EXPECT_EQ(key_calls_, 1);
    EXPECT_THAT(Call("TrentService.ListKeys", "{}"), HasSubstr("KMSInternalException"));
    EXPECT_EQ(key_calls_, 1) << "not begun";
    EXPECT_THAT(Call("ListUserPools", R"({"MaxResults":10})"), HasSubstr("UserPools"));
  }
  trail_->Tick();
  EXPECT_EQ(Call("TrentService.ListKeys", "{}"), R"({"Keys":[]})");
  // What was withheld and what was not begun are written when the disk takes lines again.
  EXPECT_THAT(Records(), ElementsAre(Not(HasSubstr("errorCode")), HasSubstr(R"("errorCode":"KMSInternalException")"),
                                     Not(HasSubstr("errorCode"))));
}

// Nobody can tell from two pools' keys and values that the same person is in both.
TEST_F(PipelineAuditTest, EqualPeopleInTwoPools_HaveNothingInCommonInTheStore) {
  const object person = {{"Username", "anna"},
                         {"MessageAction", "SUPPRESS"},
                         {"UserAttributes", {{{"Name", "email"}, {"Value", "anna@example.com"}}}}};
  std::vector<std::set<Bytes>> ids(2);
  for (std::set<Bytes>& own : ids) {
    const PoolId pool = region_.CreatePool();
    std::set<Bytes> before;
    for (const auto& [key, value] : region_.store().Contents(pool)) before.insert(key.id);
    object request = person;
    request["UserPoolId"] = pool.value();
    ASSERT_EQ(region_.Call("AdminCreateUser", request).error(), "");
    for (const auto& [key, value] : region_.store().Contents(pool)) {
      if (!before.contains(key.id) && key.id.size() >= 16) own.insert(key.id.substr(0, 16));
    }
    EXPECT_GE(own.size(), 3U) << "the user, and what leads to them";
  }
  std::vector<Bytes> common;
  std::ranges::set_intersection(ids[0], ids[1], std::back_inserter(common));
  EXPECT_THAT(common, IsEmpty());
}

}  // namespace
}  // namespace symbolon::cognito
