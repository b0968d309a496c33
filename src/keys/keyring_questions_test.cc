// Of what a CMK is asked, and how often (keyring_questions.cc).
#include <gtest/gtest.h>

#include <thread>

#include "keys/test_keyring.h"

namespace symbolon::keys {
namespace {

using namespace std::chrono_literals;

class KeyringQuestionsTest : public KeyringTest {
 protected:
  // What the tick before began may be under way yet.
  void TickUntilBegun(const std::string& what, int count) {
    while (provider_.Begun(what) < count) {
      keyring_.Tick();
      std::this_thread::yield();
    }
  }
};

TEST_F(KeyringQuestionsTest, EachCmkIsAskedOnceAnInterval) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(IsOpen(NewPool(cmk_)));
  ASSERT_TRUE(IsOpen(NewPool("")));
  const int before = provider_.decrypts;
  Ask();
  EXPECT_EQ(provider_.decrypts, before);
  clock_.Advance(2s);
  Ask();
  Ask();
  EXPECT_EQ(provider_.decrypts, before + 2);
}

TEST_F(KeyringQuestionsTest, CmkThatIsSlowHoldsUpNeitherTheOthersNorTheNextTick) {
  provider_.has_untold_policies = true;
  const std::string slow_cmk = kms_->CreateKey(false, "").value().arn;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(IsOpen(NewPool(slow_cmk)));
  const PoolId other = NewPool(cmk_);
  const PoolId owned = NewPool("");
  const std::string owned_cmk = kms_->EnsureServiceOwnedKey().value();
  ASSERT_TRUE(IsOpen(other) && IsOpen(owned));
  const int slow_begun = provider_.Begun(slow_cmk);

  provider_.Hang(slow_cmk);
  // Longer than a CMK may be unasked.
  for (int i = 0; i < 6; ++i) {
    const int asked = provider_.Begun(cmk_), asked_owned = provider_.Begun(owned_cmk);
    clock_.Advance(2s);
    TickUntilBegun(cmk_, asked + 1);
    TickUntilBegun(owned_cmk, asked_owned + 1);
    EXPECT_TRUE(IsOpen(other) && IsOpen(owned)) << i;
  }
  // No thread more for it than it may have, and no question on top of those under way.
  EXPECT_LE(provider_.Begun(slow_cmk), slow_begun + 4);
  provider_.LetGo();
  keyring_.WaitUntilAsked();
  EXPECT_EQ(provider_.Begun(slow_cmk), slow_begun + 12);
}

TEST_F(KeyringQuestionsTest, OpeningManyPoolsDoesNotHoldUpTheQuestions) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (int i = 0; i < 12; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied.insert(pools.begin() + 1, pools.end());
  clock_.Advance(2s);
  Ask();
  ASSERT_TRUE(IsOpen(pools.front()));
  provider_.denied.clear();
  // The first question about a pool that is locked is answered, and then pools are opened, slowly.
  provider_.Hang("data:");
  for (int i = 0; i < 6; ++i) {
    const int asked = provider_.Begun("identity");
    clock_.Advance(2s);
    TickUntilBegun("identity", asked + 2);
    EXPECT_TRUE(IsOpen(pools.front())) << i;
  }
  provider_.LetGo();
  keyring_.WaitUntilAsked();
  for (const PoolId& pool : pools) EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringQuestionsTest, CmkThatIsDeniedIsAskedOnceAnIntervalAndThenOpensAllItsPools) {
  std::vector<PoolId> pools;
  for (int i = 0; i < 40; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied.insert(pools.begin(), pools.end());
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_FALSE(IsOpen(pool));
  const int before = provider_.decrypts;
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(2s);
    Ask();
  }
  EXPECT_EQ(provider_.decrypts, before + 3);
  provider_.denied.clear();
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringQuestionsTest, CmkThatIsDisabledIsAskedOnceAnIntervalToo) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(IsOpen(NewPool(cmk_)));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  const int before = provider_.decrypts;
  clock_.Advance(2s);
  Ask();
  EXPECT_EQ(provider_.decrypts, before + 1);
}

TEST_F(KeyringQuestionsTest, PoolsOfADisabledKeyAreTriedWhenItIsDeniedInstead) {
  const PoolId allowed = NewPool(cmk_), denied = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(allowed) && IsOpen(denied));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  ASSERT_FALSE(IsOpen(allowed) || IsOpen(denied));
  provider_.denied = {denied};
  ASSERT_TRUE(kms_->EnableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_EQ(keyring_.StatusOf(snapshot_, denied)->reason, "Access to the KMS key of the user pool is denied.");
}

TEST_F(KeyringQuestionsTest, PolicyThatNamesPools_LocksTheOthersUnderTheSameKeyOnly) {
  const PoolId allowed = NewPool(cmk_);
  const PoolId denied = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(allowed) && IsOpen(denied));
  provider_.denied = {denied};
  keyring_.Recheck(cmk_);
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_EQ(ErrorOf(denied), KeyServiceErrorCode::kWithdrawn);
  EXPECT_EQ(told_, (std::vector<std::pair<PoolId, bool>>{{denied, true}}));
  provider_.denied = {allowed};
  keyring_.Recheck(cmk_);
  EXPECT_FALSE(IsOpen(allowed));
  EXPECT_TRUE(IsOpen(denied));
  EXPECT_EQ(told_, (std::vector<std::pair<PoolId, bool>>{{denied, true}, {allowed, true}, {denied, false}}));
  provider_.denied = {};
  keyring_.Recheck(cmk_);
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_TRUE(IsOpen(denied));
}

TEST_F(KeyringQuestionsTest, PolicyThatDeniesOnePoolInTime_IsFoundOutWhenThePoolsTurnComes) {
  const std::vector<PoolId> pools = {NewPool(cmk_), NewPool(cmk_), NewPool(cmk_)};
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied = {pools[1]};
  for (std::size_t tick = 0; tick < pools.size(); ++tick) {
    clock_.Advance(2s);
    Ask();
  }
  for (const PoolId& pool : pools) EXPECT_EQ(IsOpen(pool), pool != pools[1]);
}

TEST_F(KeyringQuestionsTest, PolicyChangedWithoutAWord_IsFoundOutAtTheNextQuestion) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (std::size_t i = 0; i < Keyring::kPoolsAskedMax; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied = {pools[1]};
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_EQ(IsOpen(pool), pool != pools[1]);
}

TEST_F(KeyringQuestionsTest, MorePoolsThanAreAskedAboutAtOnce_TakeTurns) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (std::size_t i = 0; i < 2 * Keyring::kPoolsAskedMax + 1; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  int before = provider_.decrypts;
  provider_.met.clear();
  for (int interval = 1; interval <= 3; ++interval) {
    clock_.Advance(2s);
    Ask();
    EXPECT_EQ(provider_.decrypts, before + static_cast<int>(Keyring::kPoolsAskedMax));
    before = provider_.decrypts;
    EXPECT_EQ(provider_.met.size() == pools.size(), interval == 3) << interval;
  }
}

}  // namespace
}  // namespace symbolon::keys
