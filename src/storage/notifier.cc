#include "storage/notifier.h"

#include <algorithm>

namespace symbolon::storage {

class Notifier::LocalSubscription final : public Subscription {
 public:
  LocalSubscription(std::weak_ptr<Listeners> listeners, std::shared_ptr<Entry> entry)
      : listeners_(std::move(listeners)), entry_(std::move(entry)) {}
  ~LocalSubscription() override {
    {
      // A listener that ends itself holds the lock of whoever writes: it waits for no `after`, and has none.
      std::unique_lock running_after(entry_->after_mutex, std::defer_lock);
      if (entry_->after) running_after.lock();
      std::lock_guard running(entry_->mutex);
      entry_->ended = true;
    }
    if (const std::shared_ptr<Listeners> listeners = listeners_.lock()) {
      std::lock_guard lock(listeners->mutex);
      std::erase(listeners->entries, entry_);
    }
  }

 private:
  std::weak_ptr<Listeners> listeners_;
  std::shared_ptr<Entry> entry_;
};

std::unique_ptr<Subscription> Notifier::Subscribe(Listener listener, AfterNotices after) {
  auto entry = std::make_shared<Entry>();
  entry->listener = std::move(listener);
  entry->after = std::move(after);
  {
    std::lock_guard lock(listeners_->mutex);
    listeners_->entries.push_back(entry);
  }
  return std::make_unique<LocalSubscription>(listeners_, std::move(entry));
}

std::vector<std::shared_ptr<Notifier::Entry>> Notifier::Entries() {
  std::lock_guard lock(listeners_->mutex);
  return listeners_->entries;
}

void Notifier::Notify(const Notice& notice) {
  for (const std::shared_ptr<Entry>& entry : Entries()) {
    std::lock_guard running(entry->mutex);
    if (!entry->ended) entry->listener(notice);
  }
}

void Notifier::NotifyAfter(bool more_follows) {
  for (const std::shared_ptr<Entry>& entry : Entries()) {
    if (!entry->after) continue;
    std::lock_guard running(entry->after_mutex);
    if (!entry->ended) entry->after(more_follows);
  }
}

}  // namespace symbolon::storage
