#include "keys/turns.h"

#include <algorithm>

#include "base/dead_stack.h"

namespace symbolon::keys {

void Turns::Add(const std::string& owner, std::vector<Job> jobs) {
  if (jobs.empty()) return;
  {
    std::lock_guard guard(mutex_);
    if (stopping_) return;
    Owner& its = owners_[owner];
    if (its.waiting.empty()) order_.push_back(owner);
    std::ranges::move(jobs, std::back_inserter(its.waiting));
    // One for each of the others, and as many for this one as may be.
    const std::size_t wanted = order_.size() - 1 + std::min(its.waiting.size(), of_one_owner_max_);
    for (std::size_t there = resting_; there < wanted && threads_.size() < threads_max_; ++there) {
      threads_.emplace_back([this] { Run(); });
    }
  }
  changed_.notify_all();
}

bool Turns::IsBusy(const std::string& owner) const {
  std::lock_guard guard(mutex_);
  return owners_.contains(owner);
}

void Turns::Drop(const std::string& owner) {
  std::deque<Job> dropped;  // Destroyed outside the lock.
  std::lock_guard guard(mutex_);
  const auto found = owners_.find(owner);
  if (found == owners_.end() || found->second.waiting.empty()) return;
  dropped.swap(found->second.waiting);
  std::erase(order_, owner);
  if (found->second.under_way == 0) owners_.erase(found);
  changed_.notify_all();
}

void Turns::WaitUntilIdle() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return owners_.empty(); });
}

void Turns::Stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
    order_.clear();
    for (auto& [name, owner] : owners_) owner.waiting.clear();
    std::erase_if(owners_, [](const auto& owner) { return owner.second.under_way == 0; });
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

std::deque<std::string>::iterator Turns::NextInTurn() {
  return std::ranges::find_if(order_,
                              [&](const std::string& name) { return owners_[name].under_way < of_one_owner_max_; });
}

void Turns::Run() {
  std::unique_lock guard(mutex_);
  while (true) {
    auto turn = NextInTurn();
    if (turn == order_.end()) {
      ++resting_;
      guard.unlock();
      WipeDeadStack();  // Jobs have seen keys.
      guard.lock();
      changed_.wait(guard, [&] { return stopping_ || NextInTurn() != order_.end(); });
      --resting_;
      if (stopping_) return;
      continue;
    }
    const std::string name = std::move(*turn);
    order_.erase(turn);
    Owner& owner = owners_[name];
    Job job = std::move(owner.waiting.front());
    owner.waiting.pop_front();
    if (!owner.waiting.empty()) order_.push_back(name);
    ++owner.under_way;

    guard.unlock();
    job();
    job = nullptr;
    guard.lock();

    Owner& after = owners_[name];
    --after.under_way;
    if (after.under_way == 0 && after.waiting.empty()) owners_.erase(name);
    changed_.notify_all();
  }
}

}  // namespace symbolon::keys
