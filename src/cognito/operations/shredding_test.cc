#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certificate/certificate.h"
#include "cognito/operations/test_keys.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

// What replication and the job do in a node.
class PoolShreddingTest : public KeysTest {
 protected:
  ApiRegion::Answer Shred(object request = {}) {
    request.emplace("Confirmation", pool_.value());
    return Try("SymbolonService.ShredUserPool", std::move(request));
  }
  void RunToTheEnd() {
    here_.shredding().RunDue();
    ASSERT_TRUE(here_.store().store().DropPool(pool_));
    for (int i = 0; i < 10 && here_.shredding().RunDue(); ++i) clock_.Advance(std::chrono::seconds(1));
  }
  std::string Status() { return Try("SymbolonService.DescribeShredding").text("/Shredding/Status"); }
};

TEST_F(PoolShreddingTest, WithoutTheConfirmationOrUnderDeletionProtection_NothingIsDone) {
  MakePool("");
  EXPECT_THAT(Try("SymbolonService.ShredUserPool").error(), StartsWith("InvalidParameterException"));
  EXPECT_EQ(Shred({{"Confirmation", "yes"}}).error(),
            "InvalidParameterException: Confirmation has to be the user pool's id.");
  Call("UpdateUserPool", {{"DeletionProtection", "ACTIVE"}});
  EXPECT_THAT(Shred().error(), HasSubstr("deletion protection is activated"));
  EXPECT_THAT(Shred({{"AlthoughLocked", true}}).error(), HasSubstr("deletion protection is activated"));
  EXPECT_EQ(ReadIn(here_), "");
  EXPECT_EQ(Try("SymbolonService.DescribeShredding").error(),
            "ResourceNotFoundException: This Region knows of no shredding of the user pool.");
}

TEST_F(PoolShreddingTest, ThePoolIsGoneAtOnceAndTheCertificateTellsWhoAsked) {
  MakePool("");
  const auto begun = Shred();
  EXPECT_EQ(begun.error(), "");
  EXPECT_EQ(begun.text("/Shredding/Status"), "PENDING");
  EXPECT_THAT(ReadIn(here_), StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Shred().error(), StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Try("DescribeUserPool").error(), StartsWith("ResourceNotFoundException"));
  EXPECT_EQ(Status(), "PENDING");
  RunToTheEnd();
  const auto told = Try("SymbolonService.DescribeShredding");
  EXPECT_EQ(told.text("/Shredding/Status"), "FINAL");
  EXPECT_EQ(told.text("/Shredding/Regions/0/State"), "DONE");
  const auto verified = certificate::Verify(told.text("/Shredding/Certificate"), {});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_TRUE(verified->good() && verified->final);
  EXPECT_EQ(verified->order.asked_by, "arn:aws:iam::000000000000:root");
  EXPECT_TRUE(here_.store().Contents(pool_).empty());
}

TEST_F(PoolShreddingTest, APoolWhoseKeyIsWithdrawnTakesASecondWord) {
  const std::string key = NewKey();
  MakePool(key);
  Withdraw(here_, key);
  EXPECT_THAT(Shred().error(), HasSubstr("It can be shredded all the same with AlthoughLocked."));
  EXPECT_EQ(ReadIn(here_), "OperationNotEnabledException: The KMS key of the user pool is disabled.");
  EXPECT_EQ(Shred({{"AlthoughLocked", true}}).error(), "");
  RunToTheEnd();
  EXPECT_EQ(Status(), "FINAL");
}

TEST_F(PoolShreddingTest, ItsActionIsItsOwn) {
  MakePool("");
  const auto as_ann = [&](const std::string& action) {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":")" + action + R"("}]})";
    return here_.CallAs("ann", {policy}, "SymbolonService.ShredUserPool",
                        {{"UserPoolId", pool_.value()}, {"Confirmation", pool_.value()}});
  };
  EXPECT_THAT(as_ann("cognito-idp:*").error(), StartsWith("AccessDeniedException"));
  EXPECT_EQ(as_ann("symbolon:ShredUserPool").error(), "");
}

}  // namespace
}  // namespace symbolon::cognito
