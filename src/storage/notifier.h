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

  std::unique_ptr<Subscription> Subscribe(Listener listener, AfterNotices after = nullptr);
  // Calls every listener. The caller sees to the order.
  void Notify(const Notice& notice);
  // Once Notify has told all of one write: calls whoever works then.
  void NotifyAfter(bool more_follows);

 private:
  struct Entry {
    // Held during calls. Two, because a listener is called under the lock of whoever writes, and `after` may write: one
    // for both would be waited for by each while the other is held. Ending takes after_mutex before mutex. Recursive,
    // so that either may end its own subscription; a listener ends no other that has AfterNotices.
    std::recursive_mutex mutex;
    std::recursive_mutex after_mutex;
    Listener listener;
    AfterNotices after;
    bool ended = false;
  };
  struct Listeners {
    std::mutex mutex;
    std::vector<std::shared_ptr<Entry>> entries;
  };
  class LocalSubscription;

  std::vector<std::shared_ptr<Entry>> Entries();

  std::shared_ptr<Listeners> listeners_;
};

}  // namespace symbolon::storage
