// Calls that may hang for ever, made on threads that nobody has to wait for.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "keys/pkcs11/token_session.h"

namespace symbolon::keys::pkcs11 {

// A fixed number of threads, each with a session of its own, and a bounded queue. Thread-safe. The destructor waits
// `patience` for the calls under way; threads that hang longer are left behind with all that they use.
class CallThreads {
 public:
  using Job = std::move_only_function<void(TokenSession&)>;

  CallThreads(std::size_t thread_count, std::size_t queue_limit, std::chrono::nanoseconds patience,
              std::shared_ptr<Token> token, Random& random);
  ~CallThreads();
  CallThreads(const CallThreads&) = delete;
  CallThreads& operator=(const CallThreads&) = delete;

  // False, without running `job`, when the queue is full. `job` must not throw.
  [[nodiscard]] bool TrySubmit(Job job);

 private:
  struct State;
  const std::chrono::nanoseconds patience_;
  const std::shared_ptr<State> state_;
};

}  // namespace symbolon::keys::pkcs11
