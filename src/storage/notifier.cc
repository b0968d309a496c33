#include "storage/notifier.h"

#include <algorithm>

namespace symbolon::storage {

class Notifier::LocalSubscription final : public Subscription {
 public:
  LocalSubscription(std::weak_ptr<Listeners> listeners, std::shared_ptr<Entry> entry)
      : listeners_(std::move(listeners)), entry_(std::move(entry)) {}
  ~LocalSubscription() override {
    {
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

std::unique_ptr<Subscription> Notifier::Subscribe(Listener listener) {
  auto entry = std::make_shared<Entry>();
  entry->listener = std::move(listener);
  {
    std::lock_guard lock(listeners_->mutex);
    listeners_->entries.push_back(entry);
  }
  return std::make_unique<LocalSubscription>(listeners_, std::move(entry));
}

void Notifier::Notify(const Notice& notice) {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    std::lock_guard lock(listeners_->mutex);
    entries = listeners_->entries;
  }
  for (const std::shared_ptr<Entry>& entry : entries) {
    std::lock_guard running(entry->mutex);
    if (!entry->ended) entry->listener(notice);
  }
}

}  // namespace symbolon::storage
