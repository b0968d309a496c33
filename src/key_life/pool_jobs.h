// Work that goes on by pool, a step at a time, so that pools take turns; and the thread that does it.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/dead_stack.h"
#include "base/ids.h"
#include "base/log.h"
#include "storage/store.h"

namespace symbolon::key_life {

// The pools that have work of one kind in this Region. `Job`: what one thread remembers of a pool from step to step.
// Note and WaitUntil are thread-safe; RunDue is of one thread at a time, the one that waits.
template <class Job>
class PoolJobs {
 public:
  explicit PoolJobs(Clock& clock) : clock_(clock) {}

  // The pool may have work: it gets a step, and a job unless it has one.
  void Note(const PoolId& pool) {
    {
      const std::lock_guard lock(mutex_);
      news_.insert(pool);
    }
    wake_.notify_all();
  }

  // What was under way when the process ended: every pool of the store may have work. False: they cannot all be listed,
  // so that this has to be tried again.
  bool NoteAll(const storage::Snapshot& snapshot) {
    constexpr std::size_t kPoolsAtOnce = 100;
    std::optional<PoolId> after;
    while (true) {
      const auto pools = snapshot.Pools(after, kPoolsAtOnce);
      if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
      if (!pools) return false;
      if (pools->empty()) return true;
      for (const PoolId& pool : *pools) Note(pool);
      after = pools->back();
    }
  }

  // Calls `step(pool, job)` for each pool that is due. It answers after which time the next one is; nullopt: nothing is
  // left to do, and the job is forgotten. Answers when the next step is, on the clock's SinceBoot(); nullopt: no pool
  // has work.
  template <class Step>
  std::optional<std::chrono::nanoseconds> RunDue(Step step) {
    TakeNews();
    std::optional<std::chrono::nanoseconds> next;
    for (auto entry = jobs_.begin(); entry != jobs_.end();) {
      auto& [pool, work] = *entry;
      if (clock_.SinceBoot() >= work.due) {
        const std::optional<std::chrono::nanoseconds> wait = step(pool, *work.job);
        if (!wait) {
          entry = jobs_.erase(entry);
          continue;
        }
        work.due = clock_.SinceBoot() + *wait;
      }
      next = std::min(next.value_or(work.due), work.due);
      ++entry;
    }
    return next;
  }

  // Blocks until `due`, until a pool without a job is noted, or until `stop`. A pool that has one is no news: its own
  // steps change its records.
  void WaitUntil(const std::stop_token& stop, std::optional<std::chrono::nanoseconds> due) {
    std::unique_lock lock(mutex_);
    const auto has_news = [this] {
      return std::ranges::any_of(news_, [this](const PoolId& pool) { return !jobs_.contains(pool); });
    };
    if (!due) {
      wake_.wait(lock, stop, has_news);
    } else if (const auto wait = *due - clock_.SinceBoot(); wait.count() > 0) {
      wake_.wait_for(lock, stop, wait, has_news);
    }
  }

 private:
  struct Work {
    std::unique_ptr<Job> job;
    std::chrono::nanoseconds due{};
  };

  void TakeNews() {
    std::set<PoolId> news;
    {
      const std::lock_guard lock(mutex_);
      news.swap(news_);
    }
    for (const PoolId& pool : news) {
      if (!jobs_.contains(pool)) jobs_.emplace(pool, Work{.job = std::make_unique<Job>()});
    }
  }

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::set<PoolId> news_;        // guarded by mutex_
  std::map<PoolId, Work> jobs_;  // of whoever calls RunDue
};

// Drives `Jobs` (RunDue, WaitUntil) until it is destroyed, when it finishes the step under way.
template <class Jobs>
class JobsThread {
 public:
  explicit JobsThread(Jobs& jobs)
      : thread_([&jobs](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            const auto due = jobs.RunDue();
            WipeDeadStack();
            jobs.WaitUntil(stop, due);
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace symbolon::key_life
