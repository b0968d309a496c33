#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "key_life/link.pb.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::StartsWith;

constexpr const char* kOther = "us-east-1";

class ReplicasTest : public testing::Test {
 protected:
  PoolId PoolWithKey(const std::string& key, object settings = {}) {
    settings["KeyConfiguration"] = {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}};
    return region_.CreatePool(std::move(settings));
  }
  ApiRegion::Answer Call(const char* operation, const PoolId& pool, const char* region = kOther, object more = {}) {
    more["UserPoolId"] = pool.value();
    more["RegionName"] = region;
    return region_.Call(operation, more);
  }
  std::string SetStatus(const PoolId& pool, const char* status) {
    return Call("UpdateUserPoolReplica", pool, kOther, {{"Status", status}}).error();
  }

  ReplicasTest() {
    region_.ask_about_keys = [this](const Region&, const Bytes& request) {
      key_life::pb::KeyRequest about;
      EXPECT_TRUE(about.ParseFromString(request));
      other_.CopyPool(region_, PoolId(about.pool()));
      return other_.AnswerAboutKeys(Region("eu-central-1"), request);
    };
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_}, other_{kOther, clock_};
};

TEST_F(ReplicasTest, ReplicaGoesThroughItsStates) {
  const PoolId pool = PoolWithKey(region_.CreateSharedKey(other_));
  const auto made = Call("CreateUserPoolReplica", pool);
  ASSERT_EQ(made.error(), "");
  EXPECT_EQ(made.text("/UserPoolReplica/Status"), "CREATING");
  EXPECT_EQ(made.text("/UserPoolReplica/Role"), "SECONDARY");
  EXPECT_EQ(made.text("/UserPoolReplica/RegionName"), kOther);
  EXPECT_EQ(made.text("/UserPoolReplica/UserPoolArn"),
            "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool.value());
  EXPECT_THAT(SetStatus(pool, "ACTIVE"), StartsWith("InvalidParameterException: "));

  region_.SetMemberState(pool, kOther, replication::pb::INACTIVE);
  EXPECT_EQ(SetStatus(pool, "ACTIVE"), "");
  EXPECT_EQ(SetStatus(pool, "ACTIVE"), "");
  EXPECT_THAT(Call("DeleteUserPoolReplica", pool).error(), StartsWith("InvalidParameterException: "));
  EXPECT_EQ(SetStatus(pool, "INACTIVE"), "");
  EXPECT_EQ(Call("DeleteUserPoolReplica", pool).text("/UserPoolReplica/Status"), "DELETING");
  EXPECT_THAT(SetStatus(pool, "ACTIVE"), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call("CreateUserPoolReplica", pool).error(), StartsWith("InvalidParameterException: "));
}

TEST_F(ReplicasTest, PrimaryAndSecondariesAreListed) {
  const PoolId pool = PoolWithKey(region_.CreateSharedKey(other_));
  ASSERT_EQ(Call("CreateUserPoolReplica", pool).error(), "");
  const auto list = region_.Call("ListUserPoolReplicas", {{"UserPoolId", pool.value()}});
  ASSERT_EQ(list.at("/UserPoolReplicas").as_array().size(), 2u);
  EXPECT_EQ(list.text("/UserPoolReplicas/0/Role"), "PRIMARY");
  EXPECT_EQ(list.text("/UserPoolReplicas/0/Status"), "ACTIVE");
  EXPECT_EQ(list.text("/UserPoolReplicas/0/RegionName"), "eu-central-1");
  EXPECT_EQ(list.text("/UserPoolReplicas/1/Status"), "CREATING");
  const auto pools = region_.Call("ListUserPools", {{"MaxResults", 1}});
  EXPECT_EQ(pools.text("/UserPools/0/ReplicaRegions/0"), kOther);
}

TEST_F(ReplicasTest, PoolWithAReplicaStaysWhatItMustBe) {
  const std::string key = region_.CreateSharedKey(other_);
  const PoolId pool = PoolWithKey(key);
  ASSERT_EQ(Call("CreateUserPoolReplica", pool).error(), "");
  const auto update = [&](object settings) {
    settings["UserPoolId"] = pool.value();
    return region_.Call("UpdateUserPool", settings).error();
  };
  const object own_key{{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}};
  constexpr std::string_view kNoOwnedKey =
      "InvalidParameterException: Using an AWS owned KMS key is not supported for a user pool with multi-region "
      "replication enabled.";
  EXPECT_EQ(update({{"KeyConfiguration", {{"KeyType", "AWS_OWNED_KEY"}}}}), kNoOwnedKey);
  // Leaving it out means that, with AWS.
  EXPECT_EQ(update({}), kNoOwnedKey);
  EXPECT_THAT(update({{"KeyConfiguration", own_key}, {"UserPoolTier", "LITE"}}),
              StartsWith("TierChangeNotAllowedException: "));
  EXPECT_THAT(region_.Call("DeleteUserPool", {{"UserPoolId", pool.value()}}).error(),
              StartsWith("InvalidParameterException: "));
  EXPECT_EQ(update({{"KeyConfiguration", own_key}}), "");
}

TEST_F(ReplicasTest, ReplicaThatCannotBeIsRefused) {
  const std::string shared = region_.CreateSharedKey(other_);
  const auto single = region_.key_service().CreateKey(false, "");
  ASSERT_TRUE(single);
  EXPECT_THAT(Call("CreateUserPoolReplica", region_.CreatePool()).error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call("CreateUserPoolReplica", PoolWithKey(single->arn)).error(),
              StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call("CreateUserPoolReplica", PoolWithKey(shared, {{"UserPoolTier", "LITE"}})).error(),
              StartsWith("FeatureUnavailableInTierException: "));
  const PoolId pool = PoolWithKey(shared);
  EXPECT_THAT(Call("CreateUserPoolReplica", pool, "ap-south-1").error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call("CreateUserPoolReplica", pool, "eu-central-1").error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Call("CreateUserPoolReplica", pool, "\"},{\"").error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(SetStatus(pool, "ACTIVE"), StartsWith("ResourceNotFoundException: "));
  EXPECT_THAT(Call("DeleteUserPoolReplica", pool).error(), StartsWith("ResourceNotFoundException: "));
}

}  // namespace
}  // namespace symbolon::cognito
