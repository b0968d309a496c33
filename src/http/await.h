// Waiting in a coroutine for something that answers through a callback.
#pragma once

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "base/result.h"

namespace symbolon::http {

// `T value = co_await AwaitCallback<T>([&](auto done) { StartWork(..., done); });`
//
// Calls `starter` at once with a copyable callback `void(T)`, and resumes the coroutine on its own executor when the
// callback is called. The callback may be called on any thread, also before `starter` returns, and must be called
// exactly once: twice is a bug (CHECK); if all its copies die uncalled, the coroutine is unwound on its executor
// without going on. The executor's io_context must outlive the callback (Server::Stop waits for its handlers, so it
// does).
template <class T, class Starter>
boost::asio::awaitable<T> AwaitCallback(Starter starter) {
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(
      []<class Handler>(Handler handler, Starter start) {
        struct Waiting {
          explicit Waiting(Handler&& to_resume)
              : work(boost::asio::get_associated_executor(to_resume)), handler(std::move(to_resume)) {}
          // Keeps the executor running until the callback has come.
          boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work;
          Handler handler;
          std::atomic<bool> called = false;
        };
        auto waiting = std::make_shared<Waiting>(std::move(handler));
        start([waiting](T value) {
          SYMBOLON_CHECK(!waiting->called.exchange(true));
          const auto work = std::move(waiting->work);
          boost::asio::post(work.get_executor(),
                            [to_resume = std::move(waiting->handler), result = std::move(value)]() mutable {
                              std::move(to_resume)(std::move(result));
                            });
        });
      },
      boost::asio::use_awaitable, std::move(starter));
}

}  // namespace symbolon::http
