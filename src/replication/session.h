// One connection to another Region, as the machine sees it: numbering, liveness, and what waits to be sent.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "base/ids.h"
#include "replication/link.pb.h"
#include "replication/options.h"

namespace symbolon::replication {

using LinkId = std::uint64_t;

class Session {
 public:
  enum class Received { kTake, kIgnore, kBroken };
  // What a pool has to say on a supplier's connection.
  enum class Topic : std::uint8_t { kDirectory, kFacts };
  struct Ready {
    PoolId pool;
    Topic topic;
    auto operator<=>(const Ready&) const = default;
  };

  Session(LinkId link, Instant now) : link_(link), last_received_(now.since_boot), last_sent_(now.since_boot) {}

  LinkId link() const { return link_; }
  // A dialled connection is silent until it stands.
  bool connected() const { return connected_; }
  void set_connected() { connected_ = true; }
  // The peer's Hello has come: now the rest may.
  bool greeted() const { return greeted_; }
  void set_greeted() { greeted_ = true; }

  // A frame that is lost or misplaced breaks the connection, a doubled one is ignored.
  Received OnFrame(const pb::Frame& frame, Instant now) {
    if (frame.number() <= received_number_) return Received::kIgnore;
    if (frame.number() != received_number_ + 1) return Received::kBroken;
    received_number_ = frame.number();
    last_received_ = now.since_boot;
    return Received::kTake;
  }
  bool silent(Instant now, const Options& options) const {
    return now.since_boot - last_received_ >= options.silence_limit;
  }
  bool heartbeat_due(Instant now, const Options& options) const {
    return connected_ && outbox_.empty() && now.since_boot - last_sent_ >= options.heartbeat_interval;
  }

  // Before everything that pools have to say.
  void Push(pb::Frame frame) {
    outbox_bytes_ += frame.ByteSizeLong();
    outbox_.push_back(std::move(frame));
  }
  std::optional<pb::Frame> PopPushed() {
    if (outbox_.empty()) return std::nullopt;
    std::optional<pb::Frame> frame = std::move(outbox_.front());
    outbox_.pop_front();
    outbox_bytes_ -= frame->ByteSizeLong();
    return frame;
  }
  // More than this was pushed and not taken.
  bool HoldsMoreThan(std::size_t frames, std::size_t bytes) const {
    return outbox_.size() > frames || outbox_bytes_ > bytes;
  }
  // Numbers a frame that is about to be sent.
  void Stamp(pb::Frame& frame, Instant now) {
    frame.set_number(++sent_number_);
    last_sent_ = now.since_boot;
  }

  // Pools take turns, in the order in which they became ready.
  void MarkReady(Ready ready) {
    if (queued_.insert(ready).second) turns_.push_back(std::move(ready));
  }
  const Ready* front() const { return turns_.empty() ? nullptr : &turns_.front(); }
  void PopReady() {
    queued_.erase(turns_.front());
    turns_.pop_front();
  }

 private:
  const LinkId link_;
  bool connected_ = false;
  bool greeted_ = false;
  std::uint64_t received_number_ = 0;
  std::uint64_t sent_number_ = 0;
  std::chrono::nanoseconds last_received_;
  std::chrono::nanoseconds last_sent_;
  std::deque<pb::Frame> outbox_;
  std::size_t outbox_bytes_ = 0;
  std::deque<Ready> turns_;
  std::set<Ready> queued_;
};

}  // namespace symbolon::replication
