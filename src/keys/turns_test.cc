#include "keys/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace symbolon::keys {
namespace {

TEST(TurnsTest, DoesWhatIsAddedAlsoByJobs) {
  Turns turns(2, 1);
  std::atomic<int> done = 0;
  turns.Add("a", {[&] { ++done; }, [&] { turns.Add("b", {[&] { ++done; }}); }});
  turns.WaitUntilIdle();
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(turns.IsBusy("a"));
  turns.Add("a", {[&] { ++done; }});
  turns.WaitUntilIdle();
  EXPECT_EQ(done, 3);
}

TEST(TurnsTest, OwnerWhoseJobsHangHoldsUpNobodyElse) {
  Turns turns(2, 1);
  std::latch go(1), other(1);
  std::vector<Turns::Job> slow(5, [&] { go.wait(); });
  turns.Add("slow", slow);
  turns.Add("other", {[&] { other.count_down(); }});
  other.wait();
  EXPECT_TRUE(turns.IsBusy("slow"));
  go.count_down();
  turns.WaitUntilIdle();
}

TEST(TurnsTest, OwnersTakeTurns) {
  Turns turns(1, 1);
  std::latch go(1);
  std::string order;
  turns.Add("a", {[&] { go.wait(); }, [&] { order += "a"; }, [&] { order += "a"; }});
  turns.Add("b", {[&] { order += "b"; }, [&] { order += "b"; }});
  go.count_down();
  turns.WaitUntilIdle();
  EXPECT_TRUE(order == "abab" || order == "baba") << order;
}

TEST(TurnsTest, WhatWaitsCanBeDropped) {
  Turns turns(1, 1);
  std::latch begun(1), go(1);
  std::atomic<int> done = 0;
  turns.Add("a", {[&] {
                    begun.count_down();
                    go.wait();
                    ++done;
                  },
                  [&] { ++done; }});
  turns.Add("b", {[&] { ++done; }});
  begun.wait();
  turns.Drop("a");
  turns.Drop("b");
  turns.Drop("nobody");
  EXPECT_FALSE(turns.IsBusy("b"));
  go.count_down();
  turns.WaitUntilIdle();
  EXPECT_EQ(done, 1);
}

TEST(TurnsTest, StopForgetsWhatWaitsAndTakesNoMore) {
  Turns turns(1, 1);
  std::latch begun(1), go(1);
  std::atomic<int> done = 0;
  turns.Add("a", {[&] {
                    begun.count_down();
                    go.wait();
                    ++done;
                  },
                  [&] { ++done; }});
  begun.wait();
  std::thread stops([&] { turns.Stop(); });
  // Whether this comes before or after, it does not run: the one thread is waiting for it.
  turns.Drop("a");
  go.count_down();
  stops.join();
  turns.Add("a", {[&] { ++done; }});
  EXPECT_FALSE(turns.IsBusy("a"));
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace symbolon::keys
