// Listeners of a store and when they may go.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "storage/store.h"

namespace symbolon::storage {

// Thread-safe. Subscriptions may outlive the notifier.
class Notifier {
 public:
  Notifier() : listeners_(std::make_shared<Listeners>()) {}

  std::unique_ptr<Subscription> Subscribe(Listener listener);
  // Calls every listener. The caller sees to the order.
  void Notify(const Notice& notice);

 private:
  struct Entry {
    // Held during calls. Recursive, so that a listener may end its own subscription.
    std::recursive_mutex mutex;
    Listener listener;
    bool ended = false;
  };
  struct Listeners {
    std::mutex mutex;
    std::vector<std::shared_ptr<Entry>> entries;
  };
  class LocalSubscription;

  std::shared_ptr<Listeners> listeners_;
};

}  // namespace symbolon::storage
