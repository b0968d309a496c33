#include "http/await.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "http/blocking.h"

namespace symbolon::http {
namespace {

using boost::asio::awaitable;

// Not copyable and not default-constructible, as answers tend to be.
struct Answer {
  explicit Answer(std::string text) : value(std::make_unique<std::string>(std::move(text))) {}
  std::unique_ptr<std::string> value;
};

TEST(AwaitCallback, CalledInline_Resumes) {
  boost::asio::io_context io;
  std::string got;
  boost::asio::co_spawn(
      io,
      [&]() -> awaitable<void> {
        Answer answer = co_await AwaitCallback<Answer>([](auto done) { done(Answer("inline")); });
        got = *answer.value;
      },
      boost::asio::detached);
  io.run();
  EXPECT_EQ(got, "inline");
}

TEST(AwaitCallback, CalledOnAnotherThread_ResumesOnTheCoroutinesThread) {
  boost::asio::io_context io;
  std::thread other;
  std::thread::id resumed_on;
  boost::asio::co_spawn(
      io,
      [&]() -> awaitable<void> {
        co_await AwaitCallback<int>(
            [&](std::function<void(int)> done) { other = std::thread([done = std::move(done)] { done(1); }); });
        resumed_on = std::this_thread::get_id();
      },
      boost::asio::detached);
  io.run();
  other.join();
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

TEST(AwaitCallback, CallbackDroppedUncalled_UnwindsTheCoroutine) {
  boost::asio::io_context io;
  bool went_on = false;
  auto unwound = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = unwound;
  boost::asio::co_spawn(
      io,
      [&went_on, held = std::move(unwound)]() -> awaitable<void> {
        co_await AwaitCallback<int>([](auto) {});
        went_on = held != nullptr;
      },
      boost::asio::detached);
  io.run();
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(watch.expired());
}

TEST(RunBlocking, ReturnsTheValueAndRethrowsTheException) {
  boost::asio::io_context io;
  BlockingPool pool(2, 10);
  std::string got, error;
  std::thread::id ran_on;
  boost::asio::co_spawn(
      io,
      [&]() -> awaitable<void> {
        auto result = co_await RunBlocking(pool, [&] {
          ran_on = std::this_thread::get_id();
          return Answer("slow");
        });
        got = *result->value;
        try {
          co_await RunBlocking(pool, []() -> int { throw std::runtime_error("broken"); });
        } catch (const std::runtime_error& caught) {
          error = caught.what();
        }
      },
      boost::asio::detached);
  io.run();
  EXPECT_EQ(got, "slow");
  EXPECT_EQ(error, "broken");
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(RunBlocking, QueueFull_AnswersBusy) {
  boost::asio::io_context io;
  std::latch release(1), running(1);
  bool second_busy = false;
  {
    BlockingPool pool(1, 1);
    ASSERT_TRUE(pool.TrySubmit([&] {
      running.count_down();
      release.wait();
    }));
    running.wait();
    ASSERT_TRUE(pool.TrySubmit([] {}));
    boost::asio::co_spawn(
        io,
        [&]() -> awaitable<void> {
          auto result = co_await RunBlocking(pool, [] { return 1; });
          second_busy = !result;
        },
        boost::asio::detached);
    io.run();
    release.count_down();
  }
  EXPECT_TRUE(second_busy);
}

TEST(BlockingPool, Destroyed_DoesWhatItAccepted) {
  int done = 0;
  {
    BlockingPool pool(1, 100);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(pool.TrySubmit([&done] { ++done; }));
  }
  EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace symbolon::http
