#include "replication/authority.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "replication/epochs.h"

namespace symbolon::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const PoolId kPool("eu-central-1_Pool00001");
const Holder kHome{Region("eu-central-1"), Bytes("home")};
const Holder kAway{Region("us-east-1"), Bytes("away")};

// Keeps what it is asked, for the test to answer.
class HeldRegisters final : public Registers {
 public:
  void Hold(const Holder&, const Bytes&, seconds, RegisterDone<Held> done) override {
    holds.push_back(std::move(done));
  }
  void Read(Revision since, RegisterDone<RegisterNews> done) override {
    read_since = since;
    reads.push_back(std::move(done));
  }
  void Swap(RegisterSwap swap, RegisterDone<std::optional<Revision>> done) override {
    swaps.emplace_back(std::move(swap), std::move(done));
  }
  std::vector<RegisterDone<Held>> holds;
  std::vector<RegisterDone<RegisterNews>> reads;
  std::vector<std::pair<RegisterSwap, RegisterDone<std::optional<Revision>>>> swaps;
  Revision read_since = 0;
};

class AuthorityTest : public testing::Test {
 protected:
  Instant Now() { return {clock_.Now(), clock_.SinceBoot()}; }
  void Pass(std::chrono::nanoseconds time) {
    clock_.Advance(std::chrono::duration_cast<std::chrono::microseconds>(time));
    authority_.OnTick(Now());
  }
  void AnswerHold(RegisterResult<bool> all_the_time, Revision revision = 1) {
    ASSERT_EQ(registers_.holds.size(), 1);
    auto done = std::move(registers_.holds.back());
    registers_.holds.clear();
    if (all_the_time) {
      done(Held{.all_the_time = *all_the_time, .revision = revision}, Now());
    } else {
      done(Err(all_the_time.error()), Now());
    }
    authority_.OnTick(Now());
  }
  void AnswerRead(RegisterResult<RegisterNews> news) {
    ASSERT_EQ(registers_.reads.size(), 1);
    auto done = std::move(registers_.reads.back());
    registers_.reads.clear();
    done(std::move(news), Now());
  }
  RegisterNews News(Revision revision, std::set<Holder> holders) {
    return {.revision = revision, .cluster = 1, .holders = std::move(holders), .changed = {}};
  }
  static pb::Register Owned(const Holder& holder, std::uint64_t counter) {
    pb::Register value;
    *value.mutable_epoch() = MakeEpoch(counter, holder.region, holder.incarnation);
    return value;
  }
  // The lease began at the time when this is called, and the registers are known.
  void Begin() {
    authority_.OnTick(Now());
    AnswerRead(News(1, {}));
    AnswerHold(false);
    AnswerRead(News(2, {kHome}));
    ASSERT_TRUE(authority_.live());
  }

  ManualClock clock_;
  HeldRegisters registers_;
  WriteLease lease_{clock_, WriteLease::Others::kDenied};
  std::vector<PoolId> changed_;
  AuthorityOptions options_;
  Authority authority_{
      options_,
      kHome,
      "session",
      registers_,
      lease_,
      {.on_register = [this](const PoolId& pool, Instant) { changed_.push_back(pool); }, .on_lease = [](Instant) {}}};
};

TEST_F(AuthorityTest, NewLease_NothingIsAdmittedBeforeTheRegistersWereReadUnderIt) {
  authority_.OnTick(Now());
  AnswerRead(News(1, {}));  // of before the lease
  EXPECT_FALSE(authority_.live());
  AnswerHold(false);
  EXPECT_FALSE(authority_.informed());
  AnswerRead(News(2, {kHome}));
  EXPECT_TRUE(authority_.live());
  authority_.Admit(kPool, 3);
  EXPECT_TRUE(lease_.Admits(kPool, 3));
  EXPECT_FALSE(lease_.Admits(kPool, 2));
}

TEST_F(AuthorityTest, RenewalAnsweredLate_CountsFromItsSending) {
  Begin();
  authority_.Admit(kPool, 1);
  Pass(options_.renew_interval);  // sent
  clock_.Advance(seconds(3));
  AnswerHold(true);
  // Sent at 2.5 s: until 2.5 + 10 - 2 = 10.5 s; it is 5.5 s.
  clock_.Advance(milliseconds(4'999));
  EXPECT_TRUE(lease_.Admits(kPool));
  clock_.Advance(milliseconds(1));
  EXPECT_FALSE(lease_.Admits(kPool));
}

TEST_F(AuthorityTest, NoRenewalIsAnswered_RunsOutByItself) {
  Begin();
  authority_.Admit(kPool, 1);
  Pass(seconds(8));
  EXPECT_FALSE(lease_.Admits(kPool));
  EXPECT_FALSE(authority_.live());
  EXPECT_EQ(authority_.counters.leases_lost, 1);
  AnswerHold(Err(RegisterError{"no answer"}));
  Pass(options_.retry_interval);
  AnswerHold(true);  // it had not run out there
  EXPECT_TRUE(authority_.live());
  EXPECT_TRUE(lease_.Admits(kPool));
}

TEST_F(AuthorityTest, LeaseWasGoneMeanwhile_WhatWasAdmittedIsNotAnyMore) {
  Begin();
  authority_.Admit(kPool, 1);
  Pass(options_.renew_interval);
  registers_.reads.clear();
  AnswerHold(false);
  EXPECT_FALSE(lease_.Admits(kPool));
  EXPECT_FALSE(authority_.live());
}

TEST_F(AuthorityTest, RegisterOfAnother_IsFreeWhenItsLeaseIsGone) {
  Begin();
  Pass(options_.read_interval);
  RegisterNews news = News(5, {kHome, kAway});
  news.changed.push_back({kPool, 4, Owned(kAway, 2), "as it lies there"});
  AnswerRead(news);
  EXPECT_EQ(changed_, std::vector{kPool});
  EXPECT_FALSE(authority_.IsFree(authority_.Find(kPool)));
  EXPECT_FALSE(authority_.GoneSince(authority_.Find(kPool)));
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 5);
  AnswerRead(News(6, {kHome}));
  EXPECT_TRUE(authority_.IsFree(authority_.Find(kPool)));
  EXPECT_EQ(authority_.GoneSince(authority_.Find(kPool)), clock_.SinceBoot());

  authority_.Swap(kPool, Owned(kHome, 3),
                  [](Authority::Swapped swapped, Instant) { EXPECT_EQ(swapped, Authority::Swapped::kDone); });
  const RegisterSwap& swap = registers_.swaps.back().first;
  EXPECT_EQ(swap.expected, 4);
  EXPECT_EQ(swap.expected_octets, "as it lies there");
  EXPECT_EQ(swap.gone, kAway);
  EXPECT_EQ(swap.session, "session");
  registers_.swaps.back().second(std::optional<Revision>(7), Now());
  EXPECT_EQ(authority_.Find(kPool).revision, 7);
  EXPECT_EQ(authority_.Find(kPool).octets, Owned(kHome, 3).SerializeAsString());
  EXPECT_TRUE(authority_.IsOwn(authority_.Find(kPool).value));
}

TEST_F(AuthorityTest, ClusterOlderThanItWas_NothingIsAdmittedBeforeAllIsReadAnew) {
  Begin();
  authority_.Admit(kPool, 1);
  Pass(options_.read_interval);
  AnswerRead(News(1, {kHome}));
  EXPECT_FALSE(lease_.Admits(kPool));
  EXPECT_FALSE(authority_.live());
  authority_.OnTick(Now());
  EXPECT_EQ(registers_.read_since, 0);
}

TEST_F(AuthorityTest, ChangeThatFails_IsToldOfAgainWhenTheRegistersAreRead) {
  for (const RegisterResult<std::optional<Revision>>& end :
       {RegisterResult<std::optional<Revision>>(std::nullopt),
        RegisterResult<std::optional<Revision>>(Err(RegisterError{"no answer"}))}) {
    authority_.Swap(kPool, Owned(kHome, 1), [](Authority::Swapped, Instant) {});
    registers_.swaps.back().second(end, Now());
    EXPECT_TRUE(changed_.empty());
    authority_.OnTick(Now());
    AnswerRead(Err(RegisterError{"no answer"}));
    EXPECT_TRUE(changed_.empty());
    Pass(options_.retry_interval);
    AnswerRead(News(3, {}));
    EXPECT_EQ(changed_, std::vector{kPool});
    Pass(options_.read_interval);
    AnswerRead(News(3, {}));
    EXPECT_EQ(changed_, std::vector{kPool});
    changed_.clear();
    Pass(options_.read_interval);
    AnswerRead(News(3, {}));
  }
}

// It was set back while nobody could ask, and has come past where it was since.
TEST_F(AuthorityTest, ClusterOlderThanItWasAndPastItAgain_IsFoundOutByReadingAll) {
  Begin();
  Pass(options_.read_interval);
  RegisterNews news = News(7, {kHome});
  news.changed.push_back({kPool, 6, Owned(kHome, 2)});
  AnswerRead(std::move(news));
  authority_.Admit(kPool, 2);
  Pass(options_.renew_interval);
  AnswerHold(Err(RegisterError{"no answer"}));
  AnswerRead(Err(RegisterError{"no answer"}));
  Pass(options_.retry_interval);
  EXPECT_EQ(registers_.read_since, 0);
  news = News(50, {kHome, kAway});
  news.changed.push_back({kPool, 3, Owned(kAway, 1)});
  AnswerRead(news);
  EXPECT_FALSE(lease_.Admits(kPool));
  EXPECT_FALSE(authority_.live());
  AnswerHold(true);
  EXPECT_EQ(registers_.read_since, 0);
  AnswerRead(news);
  EXPECT_FALSE(authority_.IsOwn(authority_.Find(kPool).value));
}

// A member of etcd that lags and answers a read all the same: etcd before 3.4.42, 3.5.28 and 3.6.9.
TEST_F(AuthorityTest, RegistersOfBeforeTheLease_AreNone) {
  Begin();
  Pass(options_.read_interval);
  RegisterNews before = News(5, {kHome});
  before.changed.push_back({kPool, 4, Owned(kHome, 1)});
  AnswerRead(before);
  Pass(options_.read_interval);
  AnswerRead(News(5, {kHome}));
  Pass(options_.renew_interval - 2 * options_.read_interval);
  // It has run out, and another Region has taken the pool in revision 7.
  AnswerHold(false, /*revision=*/8);
  AnswerRead(before);
  EXPECT_FALSE(authority_.informed());
  authority_.OnTick(Now());
  RegisterNews after = News(9, {kHome, kAway});
  after.changed.push_back({kPool, 7, Owned(kAway, 2)});
  AnswerRead(after);
  AnswerHold(true, /*revision=*/9);
  AnswerRead(after);
  EXPECT_TRUE(authority_.live());
  EXPECT_FALSE(authority_.IsOwn(authority_.Find(kPool).value));
}

// It is in another history: the register never said so, or does not any more.
TEST_F(AuthorityTest, ChangeIsAnsweredAfterTheClusterWasFoundSetBack_ItIsNotKnown) {
  Begin();
  std::optional<Authority::Swapped> told;
  authority_.Swap(kPool, Owned(kHome, 2), [&](Authority::Swapped swapped, Instant) { told = swapped; });
  Pass(options_.read_interval);
  AnswerRead(News(1, {kHome}));
  registers_.swaps.back().second(std::optional<Revision>(60), Now());
  EXPECT_EQ(told, Authority::Swapped::kUnavailable);
  authority_.OnTick(Now());
  RegisterNews restored = News(3, {kHome, kAway});
  restored.changed.push_back({kPool, 1, Owned(kAway, 1)});
  AnswerRead(restored);
  EXPECT_FALSE(authority_.IsOwn(authority_.Find(kPool).value));
}

TEST_F(AuthorityTest, RenewalIsAnsweredAfterTheClusterWasFoundSetBack_ItIsNoLease) {
  Begin();
  Pass(options_.renew_interval);  // sent
  AnswerRead(News(1, {kHome}));
  AnswerHold(true);
  AnswerRead(News(3, {}));
  EXPECT_FALSE(authority_.live());
  AnswerHold(false);
  AnswerRead(News(4, {kHome}));
  EXPECT_TRUE(authority_.live());
}

// Nothing fails that would tell: the process stood still while the cluster was away.
TEST_F(AuthorityTest, ClusterSetBackAndPastItAgainWhileTheProcessStoodStill_IsFoundOutByReadingAll) {
  Begin();
  RegisterNews news = News(9, {kHome});
  news.changed.push_back({.pool = kPool, .revision = 9, .value = Owned(kHome, 1)});
  Pass(options_.read_interval);
  AnswerRead(std::move(news));
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 9);
  AnswerRead(News(9, {kHome}));
  Pass(std::chrono::seconds(4));
  EXPECT_EQ(registers_.read_since, 0);
  RegisterNews older = News(12, {kHome});
  older.changed.push_back({.pool = kPool, .revision = 7, .value = Owned(kAway, 1)});
  AnswerRead(std::move(older));
  EXPECT_FALSE(authority_.informed());
  EXPECT_EQ(authority_.Find(kPool).revision, 0);
}

TEST_F(AuthorityTest, AfterAFailureWhatIsAsItWasIsNoSetback) {
  Begin();
  authority_.Swap(kPool, Owned(kHome, 1), [](Authority::Swapped, Instant) {});
  registers_.swaps.back().second(std::optional<Revision>(9), Now());
  authority_.Admit(kPool, 1);
  Pass(options_.renew_interval);
  AnswerRead(Err(RegisterError{"no answer"}));
  AnswerHold(true);
  Pass(options_.retry_interval);
  EXPECT_EQ(registers_.read_since, 0);
  // Of before this Region's change: that is not known to be there yet.
  AnswerRead(News(8, {kHome}));
  EXPECT_TRUE(authority_.live());
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 0);
  RegisterNews news = News(10, {kHome});
  news.changed.push_back({kPool, 9, Owned(kHome, 1)});
  AnswerRead(std::move(news));
  EXPECT_TRUE(authority_.live());
  EXPECT_TRUE(lease_.Admits(kPool, 1));
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 10);
}

TEST_F(AuthorityTest, WhatLiesInOnePoolsRegisterIsNone_ThatConcernsNoOtherPool_UntilItIsRemoved) {
  const PoolId damaged("eu-central-1_Pool00002");
  authority_.OnTick(Now());
  AnswerRead(News(1, {}));
  AnswerHold(false);
  RegisterNews news = News(3, {kHome});
  news.changed.push_back({.pool = damaged, .revision = 2, .value = {}, .octets = "?", .unreadable = true});
  news.changed.push_back({.pool = kPool, .revision = 3, .value = Owned(kAway, 1), .octets = {}});
  AnswerRead(std::move(news));
  EXPECT_TRUE(authority_.live());
  EXPECT_TRUE(authority_.IsFree(authority_.Find(kPool))) << "its owner has no lease";
  EXPECT_FALSE(authority_.IsFree(authority_.Find(damaged)));
  EXPECT_EQ(authority_.GoneSince(authority_.Find(damaged)), std::nullopt);

  const std::uint64_t setbacks = authority_.setbacks();
  changed_.clear();
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 0u) << "a removal is in no news";
  news = News(4, {kHome});
  news.changed.push_back({.pool = kPool, .revision = 3, .value = Owned(kAway, 1), .octets = {}});
  AnswerRead(std::move(news));
  EXPECT_EQ(authority_.Find(damaged).revision, 0u);
  EXPECT_EQ(changed_, std::vector{damaged});
  EXPECT_EQ(authority_.setbacks(), setbacks);
  EXPECT_TRUE(authority_.live());
  Pass(options_.read_interval);
  EXPECT_EQ(registers_.read_since, 4u);
}

}  // namespace
}  // namespace symbolon::replication
