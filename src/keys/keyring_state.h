// Private to this module: what the parts of the keyring share.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "keys/keyring.h"
#include "keys/turns.h"

namespace symbolon::keys {

// Of one provider: a service that is slow holds up its own keys only, and a CMK with much to do no other.
struct Keyring::Lane {
  // CMKs of a service are asked side by side, and pools of a CMK.
  static constexpr std::size_t kThreadsMax = 8;
  static constexpr std::size_t kOfOneCmkMax = 4;

  Turns questions{kThreadsMax, kOfOneCmkMax};
  // Apart from the questions, which are not to wait for it.
  Turns openings{kThreadsMax, kOfOneCmkMax};
};

struct Keyring::Cmk {
  Cmk(std::string key_arn, Lane& its_lane, std::size_t pools_asked, std::int64_t now)
      : arn(std::move(key_arn)), lane(its_lane), pools_asked_max(pools_asked), questioned_at(now) {}

  const std::string arn;
  Lane& lane;
  // About so many open pools at each question.
  const std::size_t pools_asked_max;
  // SinceBoot() in nanoseconds, taken before the question was asked.
  std::atomic<std::int64_t> asked_at{0};
  std::atomic<std::int64_t> confirmed_at{0};
  // When Tick() began to ask about it last. Guarded by State::mutex.
  std::int64_t questioned_at;
  // How often it was found withdrawn: an opening that began before does not count. Guarded by State::mutex.
  std::uint64_t withdrawals = 0;

  void Confirm(std::int64_t at) {
    RaiseTo(asked_at, at);
    RaiseTo(confirmed_at, at);
  }
  static void RaiseTo(std::atomic<std::int64_t>& value, std::int64_t to) {
    std::int64_t before = value.load(std::memory_order_relaxed);
    while (before < to && !value.compare_exchange_weak(before, to)) {
    }
  }
};

// One pool: open (keys), locked (why), or known by its record only.
struct Keyring::Entry {
  std::shared_ptr<Cmk> cmk;
  // The newest record.
  Bytes wrapped;
  enum class Opened {
    // `keys` are those of `wrapped`.
    kYes,
    // `keys` are of a former record, and cover this one.
    kCovered,
    // There are no `keys`: whoever needs them opens the record.
    kAwaited,
  };
  Opened opened = Opened::kAwaited;
  std::shared_ptr<const PoolKeys> keys;
  std::optional<KeyError> locked;
  Timestamp locked_since{};
  // How often it was locked: an opening that began before does not count.
  std::uint64_t lockings = 0;
  // When its CMK was asked about last with this record; 0: not yet.
  std::int64_t asked_at = 0;
  // What `wrapped` offers, opened and confirmed.
  struct Prepared {
    Bytes record;
    std::shared_ptr<const PoolKeys> keys;
    std::shared_ptr<Cmk> cmk;
  };
  std::optional<Prepared> prepared;
  // Keys that gave way, and may be held by requests that are under way.
  std::vector<std::weak_ptr<const PoolKeys>> former;

  bool serves() const { return !locked && opened != Opened::kAwaited; }
};

struct Keyring::State {
  // Held for moments only. No reader-writer lock: with those, readers that keep coming can hold up a withdrawal for
  // ever.
  mutable std::mutex mutex;
  std::unordered_map<PoolId, Entry> pools;
  std::map<std::string, std::shared_ptr<Cmk>> cmks;
  // By who serves the keys. Their threads use all of this.
  std::map<KeyProvider*, Lane> lanes;
};

}  // namespace symbolon::keys
