// What the machine knows of another Region, and its connections with it. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/backoff.h"
#include "replication/clock_watch.h"
#include "replication/options.h"
#include "replication/session.h"
#include "replication/window.h"

namespace symbolon::replication {

struct MachinePeer {
  explicit MachinePeer(const Options& options)
      : backoff(options.backoff_initial, options.backoff_limit), window(options.link_window_bytes) {}

  Region region;
  Bytes incarnation;
  // With which it signs; empty: it signs nothing.
  Bytes log_key;
  // This Region dialled it and is its consumer; it dialled this Region and is served.
  std::optional<Session> dialled;
  std::optional<Session> accepted;
  Backoff backoff;
  std::chrono::nanoseconds dial_at{};
  // What it said of pools on `dialled`.
  std::map<PoolId, pb::PoolState> heard;
  // It named more pools than are kept here; when there is room it is asked anew.
  bool unheard = false;
  // What is under way on `accepted`.
  Window window;
  std::optional<Timestamp> last_contact;
  std::chrono::nanoseconds last_heard{};
  ClockWatch clock;
  // As last heard.
  std::optional<pb::AuthorityState> authority;
  std::uint64_t connections_lost = 0;
};

}  // namespace symbolon::replication
