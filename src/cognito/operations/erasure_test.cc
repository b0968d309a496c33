#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

class ErasureTest : public testing::Test {
 protected:
  ErasureTest() {
    pool_ = here_.CreatePool();
    for (const char* name : {"ann", "bob"}) {
      Call("AdminCreateUser", {{"Username", name}, {"MessageAction", "SUPPRESS"}});
    }
  }
  ApiRegion::Answer Try(std::string_view operation, object request = {}) {
    request["UserPoolId"] = pool_.value();
    return here_.Call(operation, request);
  }
  ApiRegion::Answer Call(std::string_view operation, object request = {}) {
    auto answer = Try(operation, std::move(request));
    EXPECT_EQ(answer.error(), "") << operation;
    return answer;
  }
  std::string SubOf(const char* name) {
    const auto answer = Call("AdminGetUser", {{"Username", name}});
    for (const auto& attribute : answer.at("/UserAttributes").as_array()) {
      if (attribute.at("Name") == "sub") return std::string(attribute.at("Value").as_string());
    }
    return "";
  }
  void RunToTheEnd() {
    for (int i = 0; i < 20 && here_.erasures().RunDue(); ++i) {
      while (here_.erasures_here().Step()) {
      }
      clock_.Advance(std::chrono::seconds(1));
      here_.TickKeys();
    }
  }
  ApiRegion::Answer Describe(const std::string& id) {
    return Call("SymbolonService.DescribeErasure", {{"ErasureId", id}});
  }

  ManualClock clock_{FromSeconds(1'800'000'000)};
  ApiRegion here_{"eu-central-1", clock_};
  PoolId pool_;
};

TEST_F(ErasureTest, UserIsGoneAtOnceAndErasedSoon) {
  const std::string sub = SubOf("ann");
  const auto begun = Call("SymbolonService.EraseUser", {{"Username", "ann"}});
  EXPECT_EQ(begun.text("/Erasure/Status"), "PENDING");
  EXPECT_EQ(begun.text("/Erasure/Sub"), sub);
  EXPECT_EQ(begun.text("/Erasure/UserPoolId"), pool_.value());
  EXPECT_EQ(begun.text("/Erasure/AskedBy"), "arn:aws:iam::000000000000:root");
  EXPECT_EQ(begun.text("/Erasure/Regions/0/State"), "PENDING");
  EXPECT_THAT(Try("AdminGetUser", {{"Username", "ann"}}).error(), StartsWith("UserNotFoundException"));
  const std::string id = begun.text("/Erasure/ErasureId");
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(Describe(id).text("/Erasure/Status"), "PENDING");
  RunToTheEnd();
  const auto ended = Describe(id);
  EXPECT_EQ(ended.text("/Erasure/Status"), "FINAL");
  EXPECT_EQ(ended.text("/Erasure/Regions/0/Region"), "eu-central-1");
  EXPECT_EQ(ended.text("/Erasure/Regions/0/State"), "ERASED");
  const auto verified = certificate::Verify(ended.text("/Erasure/Certificate"), {});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_TRUE(verified->good() && verified->final);
  EXPECT_EQ(verified->order.user_sub, sub);
  EXPECT_FALSE(verified->order.data_keys.empty());
  Call("AdminGetUser", {{"Username", "bob"}});
  const auto listed = Call("SymbolonService.ListErasures");
  ASSERT_EQ(listed.at("/Erasures").as_array().size(), 1u);
  EXPECT_EQ(listed.text("/Erasures/0/ErasureId"), id);
}

TEST_F(ErasureTest, UserWhoWasDeletedIsErasedByTheSubOnly) {
  const std::string sub = SubOf("ann");
  EXPECT_EQ(Try("SymbolonService.EraseUser", {{"Username", sub}, {"AlreadyDeleted", true}}).error(),
            "InvalidParameterException: The user is not deleted.");
  Call("AdminDeleteUser", {{"Username", "ann"}});
  EXPECT_THAT(Try("SymbolonService.EraseUser", {{"Username", "ann"}}).error(), StartsWith("UserNotFoundException"));
  EXPECT_THAT(Try("SymbolonService.EraseUser", {{"Username", sub}}).error(), StartsWith("UserNotFoundException"));
  EXPECT_THAT(Try("SymbolonService.EraseUser", {{"Username", "ann"}, {"AlreadyDeleted", true}}).error(),
              HasSubstr("is named by the sub"));
  const auto begun = Call("SymbolonService.EraseUser", {{"Username", sub}, {"AlreadyDeleted", true}});
  RunToTheEnd();
  EXPECT_EQ(Describe(begun.text("/Erasure/ErasureId")).text("/Erasure/Status"), "FINAL");
}

TEST_F(ErasureTest, NoSuchErasure) {
  EXPECT_THAT(Try("SymbolonService.DescribeErasure", {{"ErasureId", std::string(32, '0')}}).error(),
              StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Try("SymbolonService.DescribeErasure", {{"ErasureId", "x"}}).error(),
              StartsWith("InvalidParameterException"));
  EXPECT_EQ(Call("SymbolonService.ListErasures").at("/Erasures").as_array().size(), 0u);
}

TEST_F(ErasureTest, LockedPoolRefusesAndIsAskedAboutAllTheSame) {
  const std::string key = here_.key_service().CreateKey(false, "").value().arn;
  pool_ = here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}}});
  for (const char* name : {"ann", "bob"}) {
    Call("AdminCreateUser", {{"Username", name}, {"MessageAction", "SUPPRESS"}});
  }
  const std::string id = Call("SymbolonService.EraseUser", {{"Username", "ann"}}).text("/Erasure/ErasureId");
  ASSERT_TRUE(here_.key_service().DisableKey(key));
  EXPECT_THAT(Try("SymbolonService.EraseUser", {{"Username", "bob"}}).error(),
              StartsWith("OperationNotEnabledException"));
  RunToTheEnd();
  const auto waits = Describe(id);
  EXPECT_EQ(waits.text("/Erasure/Status"), "PENDING");
  EXPECT_THAT(waits.text("/Erasure/Regions/0/Reason"), HasSubstr("is disabled"));
  ASSERT_TRUE(here_.key_service().EnableKey(key));
  RunToTheEnd();
  EXPECT_EQ(Describe(id).text("/Erasure/Status"), "FINAL");
}

}  // namespace
}  // namespace symbolon::cognito
