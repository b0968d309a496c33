#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <thread>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "replication/roles.h"
#include "replication/verifier.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::StartsWith;

constexpr const char* kOther = "us-east-1";
constexpr const char* kStart = "SymbolonService.StartReplicationVerification";
constexpr const char* kDescribe = "SymbolonService.DescribeReplicationVerification";

// Two Regions of one pool, whose link is a call.
class VerificationTest : public testing::Test {
 protected:
  VerificationTest() {
    region_.SetVerifier(verifier_);
    pool_ = region_.CreatePool(
        {{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", region_.CreateSharedKey(other_)}}}});
  }
  void AddReplica() {
    EXPECT_EQ(region_.Call("CreateUserPoolReplica", {{"UserPoolId", pool_.value()}, {"RegionName", kOther}}).error(),
              "");
    region_.SetMemberState(pool_, kOther, replication::pb::INACTIVE);
    other_.CopyPool(region_, pool_);
  }
  ApiRegion::Answer Call(const char* operation, object more = {}) {
    more["UserPoolId"] = pool_.value();
    return region_.Call(operation, more);
  }
  ApiRegion::Answer Compare() {
    const auto started = Call(kStart);
    EXPECT_EQ(started.error(), "");
    const std::string id = started.text("/VerificationId");
    while (true) {
      auto answer = Call(kDescribe, {{"VerificationId", id}});
      EXPECT_EQ(answer.error(), "");
      if (!answer.error().empty() || answer.text("/Verification/Status") == "DONE") return answer;
      std::this_thread::yield();
    }
  }

  ApiRegion region_{"eu-central-1", SystemClock()}, other_{kOther, SystemClock()};
  PoolId pool_;
  replication::VerifySessions here_{region_.store().store(), SystemClock()},
      there_{other_.store().store(), SystemClock()};
  replication::VerifySessionsThread here_thread_{here_}, there_thread_{there_};
  replication::Verifier verifier_{region_.store().store(),
                                  SystemClock(),
                                  region_.store().random(),
                                  here_,
                                  {Region(kOther)},
                                  {},
                                  [this](const Region&, const replication::pb::ControlRequest& request) {
                                    return there_.Answer(Region("eu-central-1"), request.verify());
                                  }};
};

TEST_F(VerificationTest, PoolWithoutAReplica_CannotBeCompared) {
  EXPECT_THAT(Call(kStart).error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call(kDescribe).error(), StartsWith("ResourceNotFoundException: "));
  EXPECT_THAT(region_.Call(kStart, {{"UserPoolId", "eu-central-1_None00001"}}).error(),
              StartsWith("ResourceNotFoundException: "));
}

TEST_F(VerificationTest, EqualCopies_AreEqualAtOnePosition) {
  AddReplica();
  const auto answer = Compare();
  EXPECT_EQ(answer.text("/Verification/Outcome"), "EQUAL");
  EXPECT_EQ(answer.text("/Verification/Regions/1/Region"), kOther);
  EXPECT_EQ(answer.text("/Verification/Regions/0/Root"), answer.text("/Verification/Regions/1/Root"));
  EXPECT_THAT(answer.text("/Verification/Position"), testing::HasSubstr(pool_.value()));
  // Whoever asks for another one's result is told that it is not this one.
  EXPECT_THAT(Call(kDescribe, {{"VerificationId", "abcdef"}}).error(), StartsWith("ResourceNotFoundException: "));
  EXPECT_EQ(Call(kDescribe).text("/Verification/Outcome"), "EQUAL");
  ASSERT_TRUE(verifier_.Last(pool_));
  EXPECT_EQ(verifier_.Last(pool_)->outcome, replication::VerifyOutcome::kEqual);
  EXPECT_TRUE(verifier_.LastWhole(pool_));
}

TEST_F(VerificationTest, RecordThatIsMissing_IsNamedAndNothingOfItsContents) {
  const std::string client = region_.CreateClient(pool_);
  AddReplica();
  // As no store does it: the copy is taken again without the client.
  auto source = *region_.store().store().OpenCopy(pool_);
  auto records = *source->Next({}, 100 << 20);
  std::erase_if(records, [&](const storage::Record& record) { return record.id.ends_with(client); });
  storage::Store& store = other_.store().store();
  ASSERT_TRUE(store.DropPool(pool_));
  ASSERT_TRUE(store.BeginStaging(pool_, source->head(), source->history()));
  ASSERT_TRUE(store.WriteStaging(pool_, records));
  ASSERT_TRUE(store.FlipStaging(pool_));

  const auto answer = Compare();
  EXPECT_EQ(answer.text("/Verification/Outcome"), "DIFFERING");
  EXPECT_EQ(answer.at("/Verification/DifferenceCount").as_int64(), 1);
  EXPECT_EQ(answer.text("/Verification/Differences/0/RecordType"), "app client");
  EXPECT_EQ(answer.text("/Verification/Differences/0/Key"), HexEncode(client));
  EXPECT_EQ(answer.text("/Verification/Differences/0/Versions/0/Regions/0"), kOther);
  EXPECT_TRUE(answer.at("/Verification/Differences/0/Versions/0/Missing").as_bool());
  EXPECT_EQ(answer.text("/Verification/Differences/0/Versions/1/Regions/0"), "eu-central-1");
}

}  // namespace
}  // namespace symbolon::cognito
