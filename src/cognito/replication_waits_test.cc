#include "cognito/replication_waits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <thread>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "replication/position.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kOther = "us-east-1";

class ReplicationWaitsTest : public testing::Test {
 protected:
  // A pool with an ACTIVE replica.
  PoolId ReplicatedPool() {
    const PoolId pool = region_.CreatePool(
        {{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", region_.CreateSharedKey(other_)}}}});
    EXPECT_EQ(region_.Call("CreateUserPoolReplica", {{"UserPoolId", pool.value()}, {"RegionName", kOther}}).error(),
              "");
    region_.SetMemberState(pool, kOther, replication::pb::ACTIVE);
    return pool;
  }
  ApiRegion::Answer SetDurability(const PoolId& pool, object setting) {
    setting["UserPoolId"] = pool.value();
    return region_.Call("SymbolonService.SetReplicationDurability", setting);
  }
  ApiRegion::Answer Write(const PoolId& pool) {
    return region_.Call("CreateGroup", {{"UserPoolId", pool.value()}, {"GroupName", "g" + std::to_string(++groups_)}});
  }
  // Time passes in the gates meanwhile, as if the machine ticked.
  template <class Work>
  auto WhileTimePasses(const Work& work) {
    std::jthread ticker([this](const std::stop_token& stop) {
      for (seconds now(1); !stop.stop_requested(); now += seconds(1)) {
        region_.durability().OnTick({.wall = {}, .since_boot = now});
        region_.positions().OnTick({.wall = {}, .since_boot = now});
        std::this_thread::yield();
      }
    });
    return work();
  }
  void Reach(const PoolId& pool, std::uint64_t acknowledged, bool in_reach = true,
             std::optional<std::chrono::microseconds> lag = {}) {
    region_.durability().Update(pool,
                                {.epoch_counter = 1, .acknowledged = acknowledged, .in_reach = in_reach, .lag = lag});
  }
  ApiRegion::Answer Read(const PoolId& pool, const std::string& position) {
    http::Request request = region_.Request("DescribeUserPool", R"({"UserPoolId":")" + pool.value() + R"("})");
    request.headers.Set(replication::kPositionHeader, position);
    region_.Sign(request);
    return region_.Send(std::move(request));
  }
  std::shared_ptr<const keys::PoolKeys> KeysOf(const PoolId& pool) {
    return region_.keyring().KeysOf(*region_.store().store().MakeSnapshot(), pool).value();
  }
  // DisableKey.
  void Withdraw(const PoolId& pool) {
    const auto status = region_.keyring().StatusOf(*region_.store().store().MakeSnapshot(), pool);
    ASSERT_TRUE(region_.key_service().DisableKey(status->cmk_arn));
  }
  std::uint64_t LastOf(const PoolId& pool) {
    return region_.store().store().MakeSnapshot()->Head(pool).value()->sequence();
  }
  static std::string HeaderOf(const ApiRegion::Answer& answer, std::string_view name) {
    return std::string(answer.headers.Find(name).value_or(""));
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_}, other_{kOther, clock_};
  int groups_ = 0;
};

TEST_F(ReplicationWaitsTest, SettingIsStoredShownAndChecked) {
  const PoolId pool = ReplicatedPool();
  const auto shown = [&](std::string_view member) {
    return region_.Call("SymbolonService.DescribeReplication", {{"UserPoolId", pool.value()}})
        .at("/Durability/" + std::string(member));
  };
  EXPECT_EQ(shown("Mode"), "ASYNC");
  EXPECT_EQ(SetDurability(pool, {{"Mode", "SYNC"}}).text("/Durability/Fallback"), "REFUSE");
  EXPECT_EQ(shown("Mode"), "SYNC");
  EXPECT_EQ(SetDurability(pool, {{"Mode", "SYNC"}, {"Fallback", "FALL_BACK"}}).error(), "");
  EXPECT_EQ(shown("Fallback"), "FALL_BACK");
  EXPECT_EQ(SetDurability(pool, {{"Mode", "BOUNDED"}, {"LagBoundSeconds", 30}}).error(), "");
  EXPECT_EQ(shown("LagBoundSeconds"), 30);
  EXPECT_EQ(SetDurability(pool, {{"Mode", "ASYNC"}}).error(), "");

  for (const object& wrong :
       {object{{"Mode", "BOUNDED"}}, object{{"Mode", "BOUNDED"}, {"LagBoundSeconds", 0}},
        object{{"Mode", "BOUNDED"}, {"LagBoundSeconds", 5}, {"Fallback", "REFUSE"}},
        object{{"Mode", "SYNC"}, {"LagBoundSeconds", 5}}, object{{"Mode", "ASYNC"}, {"Fallback", "FALL_BACK"}}}) {
    EXPECT_THAT(SetDurability(pool, wrong).error(), StartsWith("InvalidParameterException: ")) << wrong;
  }
  const PoolId alone = region_.CreatePool();
  EXPECT_THAT(SetDurability(alone, {{"Mode", "SYNC"}}).error(), StartsWith("InvalidParameterException: SYNC needs"));
  region_.SetMemberState(pool, kOther, replication::pb::INACTIVE);
  EXPECT_THAT(SetDurability(pool, {{"Mode", "BOUNDED"}, {"LagBoundSeconds", 5}}).error(),
              StartsWith("InvalidParameterException: BOUNDED needs"));
}

TEST_F(ReplicationWaitsTest, SyncWriteAReplicaHas_IsAnsweredAsAnyOther) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "SYNC"}}).error(), "");
  Reach(pool, 1'000);
  const auto written = Write(pool);
  EXPECT_EQ(written.error(), "");
  EXPECT_NE(HeaderOf(written, "x-symbolon-position"), "");
  EXPECT_EQ(HeaderOf(written, "x-symbolon-durability"), "");
}

TEST_F(ReplicationWaitsTest, SyncNobodyInReach_WriteIsRefusedAndRetryable) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "SYNC"}}).error(), "");
  const auto refused = WhileTimePasses([&] { return Write(pool); });
  EXPECT_THAT(refused.error(), StartsWith("DurabilityUnavailableException: Nothing was changed: no replica"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(HeaderOf(refused, "Retry-After"), "1");
  EXPECT_EQ(HeaderOf(refused, "x-symbolon-position"), "");
  // The way out does not wait.
  EXPECT_EQ(SetDurability(pool, {{"Mode", "ASYNC"}}).error(), "");
  EXPECT_EQ(Write(pool).error(), "");
}

TEST_F(ReplicationWaitsTest, SyncNobodyConfirms_OutcomeIsUnknownAndThePositionIsTold) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "SYNC"}}).error(), "");
  Reach(pool, 1);
  const auto unknown = WhileTimePasses([&] { return Write(pool); });
  EXPECT_THAT(unknown.error(), StartsWith("WriteUnconfirmedException: "));
  EXPECT_EQ(unknown.status, 409);
  EXPECT_THAT(unknown.error(), HasSubstr("outcome is unknown"));
  // By which its outcome can be found out.
  EXPECT_EQ(Read(pool, HeaderOf(unknown, "x-symbolon-position")).error(), "");
}

TEST_F(ReplicationWaitsTest, WriteThatIsWaitedFor_HoldsNoKeysOfThePool) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "SYNC"}}).error(), "");
  Reach(pool, 1);
  const std::weak_ptr<const keys::PoolKeys> keys = KeysOf(pool);
  const std::uint64_t before = LastOf(pool);
  ApiRegion::Answer answer;
  std::jthread writer([&] { answer = Write(pool); });
  while (LastOf(pool) == before) std::this_thread::yield();
  // Nobody has confirmed it, and no time passes.
  Withdraw(pool);
  EXPECT_TRUE(keys.expired());
  Reach(pool, 1'000);
  writer.join();
  EXPECT_EQ(answer.error(), "");
}

TEST_F(ReplicationWaitsTest, PromotionThatIsWaitedFor_HoldsNoKeysOfThePool) {
  const PoolId pool = ReplicatedPool();
  const std::weak_ptr<const keys::PoolKeys> keys = KeysOf(pool);
  bool held = true;
  region_.SetPromotion([&](const PromotionRequest&, const auto& done) {
    Withdraw(pool);
    held = !keys.expired();
    done(model::Fail(model::ErrorCode::kServiceUnavailableException, "Not now."));
  });
  EXPECT_EQ(
      region_.Call("SymbolonService.PromoteUserPoolReplica", {{"UserPoolId", pool.value()}, {"RegionName", kOther}})
          .error(),
      "ServiceUnavailableException: Not now.");
  EXPECT_FALSE(held);
}

TEST_F(ReplicationWaitsTest, SyncThatFallsBack_AnswerSaysSo) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "SYNC"}, {"Fallback", "FALL_BACK"}}).error(), "");
  const auto written = WhileTimePasses([&] { return Write(pool); });
  EXPECT_EQ(written.error(), "");
  EXPECT_EQ(HeaderOf(written, "x-symbolon-durability"), "fell-back");
}

TEST_F(ReplicationWaitsTest, BoundedLagTooLarge_WriteIsRefusedWithTheLag) {
  const PoolId pool = ReplicatedPool();
  ASSERT_EQ(SetDurability(pool, {{"Mode", "BOUNDED"}, {"LagBoundSeconds", 5}}).error(), "");
  Reach(pool, 1, true, seconds(2));
  EXPECT_EQ(Write(pool).error(), "");
  Reach(pool, 1, true, seconds(7));
  const auto refused = WhileTimePasses([&] { return Write(pool); });
  EXPECT_THAT(refused.error(), StartsWith("DurabilityUnavailableException: "));
  EXPECT_THAT(refused.error(), HasSubstr("7.0 s behind"));
}

TEST_F(ReplicationWaitsTest, PositionThatIsPassed_IsServed) {
  const PoolId pool = region_.CreatePool();
  const std::string position = HeaderOf(Write(pool), "x-symbolon-position");
  EXPECT_EQ(Read(pool, position).error(), "");
  EXPECT_THAT(Read(pool, "nonsense").error(), StartsWith("InvalidParameterException: "));
}

TEST_F(ReplicationWaitsTest, PositionThatDoesNotCome_IsRetryable) {
  const PoolId pool = region_.CreatePool();
  std::string ahead = HeaderOf(Write(pool), "x-symbolon-position");
  ahead.replace(0, ahead.find('@'), "900");
  const auto behind = WhileTimePasses([&] { return Read(pool, ahead); });
  EXPECT_THAT(behind.error(), StartsWith("ReplicaBehindException: "));
  EXPECT_EQ(behind.status, 503);
  EXPECT_EQ(HeaderOf(behind, "Retry-After"), "1");
}

TEST_F(ReplicationWaitsTest, PositionThatWasSetAside_IsSaidToBe) {
  const PoolId pool = region_.CreatePool();
  std::string lost = HeaderOf(Write(pool), "x-symbolon-position");
  // The same epoch of a store that was lost.
  lost.replace(lost.rfind('.') + 1, 32, std::string(32, '0'));
  const auto answer = Read(pool, lost);
  EXPECT_THAT(answer.error(), StartsWith("WriteSetAsideException: "));
  EXPECT_EQ(answer.status, 409);
}

// A replica that has a position may not know the client yet whose making it names.
TEST_F(ReplicationWaitsTest, ClientOfAPoolThatIsBehind_IsWaitedForToo) {
  const PoolId pool = region_.CreatePool();
  std::string ahead = HeaderOf(Write(pool), "x-symbolon-position");
  ahead.replace(0, ahead.find('@'), "900");
  http::Request request = region_.Request("SignUp", R"({"ClientId":"unknown","Username":"u","Password":"Secret-123"})");
  request.headers.Set(replication::kPositionHeader, ahead);
  const auto answer = WhileTimePasses([&] { return region_.Send(std::move(request)); });
  EXPECT_THAT(answer.error(), StartsWith("ReplicaBehindException: "));
}

}  // namespace
}  // namespace symbolon::cognito
