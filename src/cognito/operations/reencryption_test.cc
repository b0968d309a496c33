#include <gtest/gtest.h>

#include <set>

#include "cognito/operations/test_keys.h"
#include "keys/local/test_support.h"

namespace symbolon::cognito {
namespace {

class PoolReencryptionTest : public KeysTest {
 protected:
  std::set<Bytes> GenerationsIn(ApiRegion& region) {
    std::set<Bytes> found;
    for (const auto& [key, value] : region.store().Contents(pool_)) {
      if (const auto generation = keys::GenerationOf(value)) found.insert(Bytes(*generation));
    }
    return found;
  }
};

TEST_F(PoolReencryptionTest, ReencryptionLeavesNothingUnderTheFormerKey) {
  MakePool(here_.CreateSharedKey(there_), true);
  const std::string first = Contents(here_).cmk_arn, second = here_.CreateSharedKey(there_);
  for (int i = 0; i < 40; ++i) {
    Call("AdminCreateUser", {{"Username", "user" + std::to_string(i)}, {"MessageAction", "SUPPRESS"}});
  }
  EXPECT_EQ(ChangeTo(second), "");
  EXPECT_EQ(GenerationsIn(here_), std::set{Contents(here_).generations[0].name});
  Reencrypt();

  const auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "DONE");
  EXPECT_GT(shown.at("/Reencryption/RecordsReencrypted").to_number<int>(), 120);
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
  there_.CopyPool(here_, pool_);
  for (ApiRegion* region : {&here_, &there_}) {
    EXPECT_EQ(GenerationsIn(*region), std::set{Contents(here_).sealing_generation});
    Withdraw(*region, first);
    EXPECT_EQ(ReadIn(*region), "");
  }
  // Again there is nothing to do.
  Reencrypt();
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").at("/Reencryption/RecordsReencrypted"), 0);
}

TEST_F(PoolReencryptionTest, FormerKeyThatIsDeletedForGood_IsNotMissedAfterReencryption) {
  const std::string first = here_.CreateSharedKey(there_), second = here_.CreateSharedKey(there_);
  MakePool(first, true);
  EXPECT_EQ(ChangeTo(second), "");
  Call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  Reencrypt();
  ASSERT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
  there_.CopyPool(here_, pool_);

  // The replica goes first, and then the waiting period of the primary key begins.
  for (ApiRegion* region : {&here_, &there_}) {
    ASSERT_TRUE(region->key_service().ScheduleDeletion(InRegion(first, *region), 7));
  }
  keys::local::DirectTransport from_here(here_.settings().region), from_there(there_.settings().region);
  for (keys::local::DirectTransport* transport : {&from_here, &from_there}) {
    for (ApiRegion* region : {&here_, &there_}) {
      transport->regions[region->settings().region] = &region->key_service();
    }
  }
  for (int period = 0; period < 2; ++period) {
    clock_.Advance(std::chrono::days(7));
    there_.key_service().Tick(from_there);
    here_.key_service().Tick(from_here);
  }
  for (ApiRegion* region : {&here_, &there_}) {
    EXPECT_EQ(region->key_service().Describe(InRegion(first, *region)).error().code,
              keys::local::LocalKeyErrorCode::kNotFound);
    // As after a restart.
    region->keyring().Invalidate(pool_);
    for (const char* name : {"ann", "bob"}) {
      EXPECT_EQ(region->Call("AdminGetUser", {{"UserPoolId", pool_.value()}, {"Username", name}}).error(), "");
    }
    const auto keys = region->keyring().KeysOf(*region->store().store().MakeSnapshot(), pool_);
    ASSERT_TRUE(keys);
    for (const auto& [key, value] : region->store().Contents(pool_)) {
      if (keys::GenerationOf(value)) EXPECT_TRUE((*keys)->Open(key, value)) << key.type;
    }
  }
}

TEST_F(PoolReencryptionTest, FormerKeyStaysUntilEveryRegionHasLookedForIt) {
  MakePool(here_.CreateSharedKey(there_), true);
  EXPECT_EQ(ChangeTo(here_.CreateSharedKey(there_)), "");
  cut_ = true;
  Reencrypt();
  auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "FINISHING");
  EXPECT_EQ(shown.text("/Reencryption/Problem"), "Region us-east-1 is not in reach.");
  EXPECT_EQ(Contents(here_).generations.size(), 2u);
  cut_ = false;
  Reencrypt();
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
}

TEST_F(PoolReencryptionTest, ReencryptionWaitsWhileThePoolIsLockedAndGoesOnAfterwards) {
  MakePool("");
  const std::string key = NewKey();
  EXPECT_EQ(ChangeTo(key), "");
  Call("SymbolonService.ReencryptUserPool");
  Withdraw(here_, key);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(here_.reencryption().RunDue());
    clock_.Advance(std::chrono::seconds(1));
  }
  const auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "RUNNING");
  EXPECT_EQ(shown.text("/Reencryption/Problem"), "The KMS key of the user pool is disabled.");
  ASSERT_TRUE(here_.key_service().EnableKey(key));
  for (int i = 0; i < 100 && here_.reencryption().RunDue(); ++i) {
    clock_.Advance(std::chrono::seconds(1));
    here_.TickKeys();
  }
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
}

TEST_F(PoolReencryptionTest, ReencryptionKeepsItsPace) {
  MakePool("");
  for (int i = 0; i < 40; ++i) {
    Call("AdminCreateUser", {{"Username", "user" + std::to_string(i)}, {"MessageAction", "SUPPRESS"}});
  }
  EXPECT_EQ(ChangeTo(NewKey()), "");
  Call("SymbolonService.ReencryptUserPool", {{"RecordsPerSecond", 20}});
  const auto started = clock_.SinceBoot();
  while (const auto due = here_.reencryption().RunDue()) {
    if (*due > clock_.SinceBoot()) clock_.Advance(*due - clock_.SinceBoot());
    here_.TickKeys();
  }
  const int resealed =
      Call("SymbolonService.DescribeReencryption").at("/Reencryption/RecordsReencrypted").to_number<int>();
  EXPECT_GE(clock_.SinceBoot() - started, std::chrono::milliseconds((resealed - 8) * 50));
}

}  // namespace
}  // namespace symbolon::cognito
