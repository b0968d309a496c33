#include "storage/notifier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace symbolon::storage {
namespace {

TEST(Notifier, EndingASubscriptionWaitsForTheCallThatIsUnderWay) {
  Notifier notifier;
  std::promise<void> called;
  std::promise<void> go_on;
  std::atomic<bool> call_ended = false;
  std::unique_ptr<Subscription> subscription = notifier.Subscribe([&](const Notice&) {
    called.set_value();
    go_on.get_future().wait();
    call_ended = true;
  });
  std::jthread committer([&] { notifier.Notify(Notice()); });
  called.get_future().wait();
  std::jthread releaser([&] { go_on.set_value(); });
  subscription.reset();
  EXPECT_TRUE(call_ended);
}

TEST(Notifier, WhoHasEndedIsNotCalledAfterNotices) {
  Notifier notifier;
  int after = 0;
  auto subscription =
      notifier.Subscribe([](const Notice&) {}, [&](bool more_follows) { after += more_follows ? 1 : 10; });
  const auto other = notifier.Subscribe([](const Notice&) {});
  notifier.NotifyAfter(true);
  notifier.NotifyAfter(false);
  EXPECT_EQ(after, 11);
  subscription.reset();
  notifier.NotifyAfter(false);
  EXPECT_EQ(after, 11);
}

TEST(Notifier, ASubscriptionMayOutliveTheNotifier) {
  auto notifier = std::make_unique<Notifier>();
  const auto subscription = notifier->Subscribe([](const Notice&) {});
  notifier.reset();
}

TEST(Notifier, SubscriptionsComeAndGoWhileNoticesRun) {
  Notifier notifier;
  std::atomic<bool> done = false;
  std::jthread committer([&] {
    while (!done) notifier.Notify(Notice());
  });
  for (int i = 0; i < 1000; ++i) {
    auto alive = std::make_unique<int>(7);
    std::atomic<int> seen = 7;
    auto subscription = notifier.Subscribe([&](const Notice&) { seen = *alive; });
    subscription.reset();
    alive.reset();  // no call may touch it any more
    EXPECT_EQ(seen, 7);
  }
  done = true;
}

}  // namespace
}  // namespace symbolon::storage
