#include "replication/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace symbolon::replication {
namespace {

using std::chrono::hours;
using SteadyClock = Turns::SteadyClock;

const std::stop_token kNever;

SteadyClock::time_point InAnHour() { return SteadyClock::now() + hours(1); }

TEST(Turns, WhoBringsSomethingWhileNothingIsOnHasTheTurnUntilItEnds) {
  Turns turns;
  ASSERT_TRUE(turns.TryBegin());
  EXPECT_FALSE(turns.TryBegin());
  turns.End(InAnHour());
  EXPECT_TRUE(turns.TryBegin());
  turns.End(InAnHour());
}

TEST(Turns, WhatWaitsComesFirstAndInItsOrder) {
  Turns turns;
  std::vector<int> done;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(turns.Post([&done, i] { done.push_back(i); }));
  EXPECT_FALSE(turns.TryBegin()) << "it would overtake";
  auto events = turns.Await(kNever);
  ASSERT_TRUE(events);
  EXPECT_FALSE(turns.TryBegin());
  for (auto& event : *events) event();
  EXPECT_EQ(done, (std::vector{0, 1, 2}));
  turns.End(InAnHour());
}

TEST(Turns, TheThreadIsWokenForWhatWasPostedDuringATurnAndForASoonerTime) {
  Turns turns;
  auto first = turns.Await(kNever);
  ASSERT_TRUE(first && first->empty()) << "the time has come";
  turns.End(InAnHour());
  std::atomic<int> rounds = 0;
  std::atomic<bool> done = false;
  std::jthread thread([&](const std::stop_token& stop) {
    while (auto events = turns.Await(stop)) {
      for (auto& event : *events) event();
      ++rounds;
      rounds.notify_all();
      turns.End(InAnHour());
    }
  });
  while (!turns.TryBegin()) std::this_thread::yield();
  ASSERT_TRUE(turns.Post([&] { done = true; }));
  turns.End(InAnHour());
  rounds.wait(0);
  EXPECT_TRUE(done);
  while (!turns.TryBegin()) std::this_thread::yield();
  turns.End(SteadyClock::now());
  rounds.wait(1);
}

TEST(Turns, TurnsOfManyThreadsFollowEachOther) {
  Turns turns;
  int count = 0;
  std::atomic<int> left = 4 * 1'000;
  std::jthread thread([&](const std::stop_token& stop) {
    while (auto events = turns.Await(stop)) {
      for (auto& event : *events) event();
      turns.End(InAnHour());
    }
  });
  const auto count_one = [&] {
    ++count;
    if (--left == 0) left.notify_all();
  };
  std::vector<std::jthread> others;
  for (int other = 0; other < 4; ++other) {
    others.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        if (turns.TryBegin()) {
          count_one();
          turns.End(InAnHour());
        } else {
          ASSERT_TRUE(turns.Post(count_one));
        }
      }
    });
  }
  for (int before = left; before > 0; before = left) left.wait(before);
  EXPECT_EQ(count, 4'000);
}

TEST(Turns, ClosingDropsWhatWaitsAndWaitsForTheTurnThatIsUnderWay) {
  Turns turns;
  const auto dropped = std::make_shared<int>();
  ASSERT_TRUE(turns.Post([dropped] {}));
  ASSERT_TRUE(turns.Await(kNever));
  ASSERT_TRUE(turns.Post([dropped] {}));
  std::atomic<bool> ended = false;
  std::jthread closing([&] {
    turns.Close();
    EXPECT_TRUE(ended);
  });
  while (turns.Post([] {})) std::this_thread::yield();
  ended = true;
  turns.End(InAnHour());
  closing.join();
  EXPECT_FALSE(turns.TryBegin());
  EXPECT_EQ(dropped.use_count(), 1);
}

TEST(Turns, AwaitingEndsWithTheStop) {
  Turns turns;
  ASSERT_TRUE(turns.Await(kNever));
  turns.End(InAnHour());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(turns.Await(stop.get_token()));
}

}  // namespace
}  // namespace symbolon::replication
