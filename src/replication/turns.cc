#include "replication/turns.h"

#include <utility>

namespace symbolon::replication {

bool Turns::Post(Event event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    events_.push_back(std::move(event));
    // Whoever has the turn sees it at the end.
    if (taken_) return true;
  }
  changed_.notify_all();
  return true;
}

bool Turns::TryBegin() {
  const std::lock_guard lock(mutex_);
  if (closed_ || taken_ || !events_.empty()) return false;
  taken_ = true;
  return true;
}

std::optional<std::deque<Turns::Event>> Turns::Await(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (taken_) {
      ++awaiting_end_;
      changed_.wait(lock, stop, [this] { return !taken_; });
      --awaiting_end_;
    } else if (!events_.empty() || SteadyClock::now() >= wake_at_) {
      taken_ = true;
      return std::exchange(events_, {});
    } else {
      const SteadyClock::time_point wake_at = wake_at_;
      changed_.wait_until(lock, stop, wake_at,
                          [this, wake_at] { return taken_ || !events_.empty() || wake_at_ < wake_at; });
    }
  }
  return std::nullopt;
}

void Turns::End(SteadyClock::time_point wake_at) {
  bool wake;
  {
    const std::lock_guard lock(mutex_);
    taken_ = false;
    wake = awaiting_end_ > 0 || !events_.empty() || wake_at < wake_at_;
    wake_at_ = wake_at;
  }
  if (wake) changed_.notify_all();
}

void Turns::Close() {
  std::deque<Event> dropped;
  std::unique_lock lock(mutex_);
  closed_ = true;
  dropped.swap(events_);
  ++awaiting_end_;
  changed_.wait(lock, [this] { return !taken_; });
  --awaiting_end_;
  lock.unlock();
}

}  // namespace symbolon::replication
