#include "http/coroutine_threads.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <stdexcept>

#include "http/await.h"

namespace symbolon::http {
namespace {

using boost::asio::awaitable;

TEST(CoroutineThreads, RunsWhatWaitsForOthers) {
  CoroutineThreads threads(2, 8);
  std::promise<int> result;
  std::promise<std::function<void(int)>> waiting;
  ASSERT_TRUE(threads.TrySpawn([&]() -> awaitable<void> {
    result.set_value(co_await AwaitCallback<int>([&](auto done) { waiting.set_value(done); }));
  }));
  waiting.get_future().get()(7);
  EXPECT_EQ(result.get_future().get(), 7);
}

TEST(CoroutineThreads, TooManyUnderWay_AreRefusedUntilOneHasEnded) {
  CoroutineThreads threads(1, 1);
  std::promise<std::function<void(int)>> waiting;
  const auto wait = [&]() -> awaitable<void> {
    co_await AwaitCallback<int>([&](auto done) { waiting.set_value(done); });
  };
  ASSERT_TRUE(threads.TrySpawn(wait));
  bool started = false;
  const auto refused = [&]() -> awaitable<void> {
    started = true;
    co_return;
  };
  EXPECT_FALSE(threads.TrySpawn(refused));
  waiting.get_future().get()(1);
  threads.Stop();
  EXPECT_FALSE(started);
}

TEST(CoroutineThreads, StopWaitsForWhatIsUnderWay_AndStartsNoMore) {
  CoroutineThreads threads(1, 8);
  std::promise<std::function<void(int)>> waiting;
  bool ended = false;
  ASSERT_TRUE(threads.TrySpawn([&]() -> awaitable<void> {
    co_await AwaitCallback<int>([&](auto done) { waiting.set_value(done); });
    ended = true;
  }));
  const auto done = waiting.get_future().get();
  std::thread stopper([&] { threads.Stop(); });
  done(1);
  stopper.join();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(threads.TrySpawn([]() -> awaitable<void> { co_return; }));
}

TEST(CoroutineThreads, ExceptionOrDroppedCallback_EndsTheCoroutine) {
  CoroutineThreads threads(1, 2);
  ASSERT_TRUE(threads.TrySpawn([]() -> awaitable<void> {
    throw std::runtime_error("a bug");
    co_return;
  }));
  ASSERT_TRUE(threads.TrySpawn([]() -> awaitable<void> { co_await AwaitCallback<int>([](const auto&) {}); }));
  threads.Stop();  // returns
}

}  // namespace
}  // namespace symbolon::http
