// What bounds and paces replication. The defaults are meant for production.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace symbolon::replication {

// One reading of both clocks. Machines are told the time, they never ask.
struct Instant {
  Timestamp wall;
  std::chrono::nanoseconds since_boot{};
};

struct Options {
  // About this much data goes into one frame.
  std::size_t frame_limit_bytes = 256 << 10;
  // Sent and not acknowledged, per pool and consumer, and per consumer.
  std::size_t pool_window_bytes = 2 << 20;
  std::size_t link_window_bytes = 8 << 20;
  // Entries that a consumer makes durable in one commit.
  std::size_t apply_limit_bytes = 1 << 20;
  // The same for a copy: sent and not acknowledged, as far as the consumer takes as much (Open::copy_window_bytes); and
  // what a consumer waits for before it makes records durable, because that is dear, unless no more come for a tick.
  std::size_t copy_window_bytes = 8 << 20;
  std::size_t staging_bytes = 4 << 20;

  std::chrono::nanoseconds heartbeat_interval = std::chrono::seconds(1);
  // A connection on which nothing came for so long is given up.
  std::chrono::nanoseconds silence_limit = std::chrono::seconds(8);
  std::chrono::nanoseconds backoff_initial = std::chrono::milliseconds(100);
  std::chrono::nanoseconds backoff_limit = std::chrono::seconds(10);

  // Copies that a supplier serves at a time; each pins a snapshot.
  std::size_t copies_max = 4;
  // All copies that a supplier serves go at this pace together, so that its own users notice nothing; 0: as fast as
  // they can.
  std::uint64_t copy_bytes_per_second = 32 << 20;
  // A pinned snapshot is kept for so long after the copy's last progress.
  std::chrono::nanoseconds copy_pin_limit = std::chrono::minutes(10);

  // Entries that are kept though everybody has them, so that a replica that restarts follows at once.
  std::uint64_t kept_entries_min = 10'000;
  // Entries that are kept for members that lag; past it they need a copy.
  std::uint64_t kept_entries_max = 1'000'000;
  // The same by size, about.
  std::uint64_t kept_bytes_max = 1 << 30;
  std::chrono::nanoseconds trim_interval = std::chrono::seconds(10);

  // A supplier signs how far it has sent so often at the most; not with each batch, because a signature and its check
  // take longer than all else that is done for one (docs/adr/0024-signatures.md).
  std::chrono::nanoseconds sign_interval = std::chrono::milliseconds(500);
  // A consumer follows for so long without a signature that covers what it has.
  std::chrono::nanoseconds unsigned_limit = std::chrono::seconds(10);
  // The newest signatures of others are kept on disk so often at the most.
  std::chrono::nanoseconds keep_signatures_interval = std::chrono::seconds(5);

  // So long writes wait for what their pool's durability asks.
  std::chrono::nanoseconds durability_wait_limit = std::chrono::seconds(2);
  // Writes wait so long at the most while the primary is changing or is not sure that it is one.
  std::chrono::nanoseconds write_wait_limit = std::chrono::seconds(4);
  // A primary that starts again admits writes when all its members have told it that they know of no higher epoch, or
  // when this time has passed; 0: never without them (docs/adr/0007-who-is-primary.md).
  std::chrono::nanoseconds admit_alone_after = std::chrono::seconds(5);
  // Where the operator alone decides who is primary: a process that stood still for so long may have missed that
  // another Region was promoted. Not shorter: a promotion by force waits for whoever was heard from within three
  // heartbeats (machine_takeover.cc), so for two at least after a process has stopped.
  std::chrono::nanoseconds pause_limit = std::chrono::milliseconds(1'500);
  // A hand-over waits so long, with writes going on, until the secondary lacks at most so many entries, or none that is
  // so old (on a long way many are always under way); and then so long, with writes waiting, until it lacks none.
  std::chrono::nanoseconds catch_up_limit = std::chrono::seconds(20);
  std::uint64_t drain_entries_max = 200;
  std::chrono::nanoseconds drain_lag_max = std::chrono::milliseconds(500);
  std::chrono::nanoseconds drain_limit = std::chrono::seconds(3);
  // A take-over waits so long for promises of members that are connected, and at least so long for those that are not.
  std::chrono::nanoseconds promise_limit = std::chrono::seconds(3);
  std::chrono::nanoseconds promise_patience = std::chrono::milliseconds(300);
  // And so long for entries of the longest log, counted from the last one that came.
  std::chrono::nanoseconds fetch_limit = std::chrono::seconds(10);

  // A change of the role record is planned so often before the conflict is answered.
  int role_change_attempts_max = 16;
};

}  // namespace symbolon::replication
