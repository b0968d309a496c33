#include "crypto/rsa_reservoir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <semaphore>
#include <thread>

namespace symbolon::crypto {
namespace {

constexpr auto kNever = std::chrono::steady_clock::time_point::max();

SigningKey QuickKey() { return SigningKey::Generate(SignatureAlgorithm::kEs256); }

TEST(RsaReservoirTest, GivesEachKeyOnceAndStopsWhenFull) {
  std::counting_semaphore<> made(0);
  RsaReservoir reservoir(2, [&] {
    made.release();
    return QuickKey();
  });
  made.acquire();
  made.acquire();
  const auto first = reservoir.Take(kNever), second = reservoir.Take(kNever), third = reservoir.Take(kNever);
  ASSERT_TRUE(first && second && third);
  EXPECT_NE(first->PublicKey().ToJwk().x, second->PublicKey().ToJwk().x);
  EXPECT_NE(second->PublicKey().ToJwk().x, third->PublicKey().ToJwk().x);
  EXPECT_LE(reservoir.size(), 2u);
}

TEST(RsaReservoirTest, EmptyReservoirAnswersAtTheDeadline) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  RsaReservoir reservoir(1, [&] {
    gone.wait();
    return QuickKey();
  });
  EXPECT_FALSE(reservoir.TryTake());
  EXPECT_FALSE(reservoir.Take(std::chrono::steady_clock::now()));
  go.set_value();
  EXPECT_TRUE(reservoir.Take(kNever));
}

TEST(RsaReservoirTest, WhoWaitsIsServedWhileTheSpareIsStillInTheMaking) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  std::atomic<int> begun = 0;
  RsaReservoir reservoir(1, [&] {
    if (begun.fetch_add(1) == 0) gone.wait();
    return QuickKey();
  });
  while (begun == 0) std::this_thread::yield();
  EXPECT_TRUE(reservoir.Take(kNever));
  EXPECT_TRUE(reservoir.Take(kNever));
  go.set_value();
}

TEST(RsaReservoirTest, ShutdownWakesWhoWaits) {
  std::promise<void> making, go;
  auto gone = go.get_future().share();
  std::once_flag told;
  RsaReservoir reservoir(1, [&] {
    std::call_once(told, [&] { making.set_value(); });
    gone.wait();
    return QuickKey();
  });
  making.get_future().wait();
  auto taken = std::async(std::launch::async, [&] { return reservoir.Take(kNever).has_value(); });
  auto down = std::async(std::launch::async, [&] { reservoir.Shutdown(); });
  EXPECT_FALSE(taken.get());
  go.set_value();
  down.wait();
  EXPECT_FALSE(reservoir.TryTake());
  reservoir.Shutdown();
}

TEST(RsaReservoirTest, MakesRsaKeysByDefault) {
  RsaReservoir reservoir(1);
  const auto key = reservoir.Take(kNever);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->algorithm(), SignatureAlgorithm::kRs256);
}

}  // namespace
}  // namespace symbolon::crypto
