// Work for many, done in turn by a bounded number of threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace symbolon::keys {

// Each job belongs to somebody. Whoever has much of it, or slow work, holds up nobody else: jobs of different owners
// begin in turn, and one owner never has more than `of_one_owner_max` under way. Threads are started when they are
// needed first, and stay. Jobs may add jobs. Thread-safe; how many jobs wait is for the callers to bound.
class Turns {
 public:
  using Job = std::function<void()>;

  Turns(std::size_t threads_max, std::size_t of_one_owner_max)
      : threads_max_(threads_max), of_one_owner_max_(of_one_owner_max) {}
  ~Turns() { Stop(); }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  void Add(const std::string& owner, std::vector<Job> jobs);
  // Something of this owner waits or is under way.
  bool IsBusy(const std::string& owner) const;
  // Forgets what waits.
  void Drop(const std::string& owner);
  // Until nothing waits and nothing is under way, of anybody.
  void WaitUntilIdle();
  // Forgets what waits, takes no more, and waits for what is under way. Not from a job.
  void Stop();

 private:
  struct Owner {
    std::deque<Job> waiting;
    std::size_t under_way = 0;
  };

  void Run();
  // The owner whose turn it is; end(): nobody may begin now.
  std::deque<std::string>::iterator NextInTurn();

  const std::size_t threads_max_;
  const std::size_t of_one_owner_max_;
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::condition_variable changed_;
  std::map<std::string, Owner> owners_;
  // Those with work that waits, each once.
  std::deque<std::string> order_;
  std::vector<std::thread> threads_;
  std::size_t resting_ = 0;
  bool stopping_ = false;
};

}  // namespace symbolon::keys
