// What happens to packets between places that are far from each other: each is held back for a time of its own, some
// are lost, and a direction can be cut. Pure but for the clock that the caller gives; not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace symbolon::delay_link {

using Time = std::chrono::steady_clock::time_point;

struct Path {
  std::chrono::microseconds delay{0};   // one way
  std::chrono::microseconds jitter{0};  // each packet takes delay ± jitter, uniformly, and may overtake others
  double loss = 0;                      // share of the packets that are lost, each for itself
};

struct Counters {
  std::uint64_t carried = 0;
  std::uint64_t lost = 0;
  std::uint64_t cut = 0;
  std::uint64_t overrun = 0;  // came while kPacketsMax were under way
};

class Link {
 public:
  static constexpr std::size_t kPacketsMax = 1 << 17;

  struct Delivery {
    std::size_t to = 0;
    std::string packet;
  };

  // Between `places` places. What place `near` (if any) sends and receives is neither delayed nor lost, only cut.
  Link(std::size_t places, std::optional<std::size_t> near, Path path, std::uint64_t seed, bool keep_order);

  // Of all paths, for what is sent from now on.
  void SetPath(Path path) { path_ = path; }
  const Path& path() const { return path_; }

  // Drops what goes from one place to the other, also what is under way; not what comes back.
  void Cut(std::size_t from, std::size_t to) { cut_[from * places_ + to] = true; }
  void Heal(std::size_t from, std::size_t to) { cut_[from * places_ + to] = false; }
  void HealAll() { cut_.assign(cut_.size(), false); }

  // Precondition: from != to.
  void Send(std::size_t from, std::size_t to, std::string packet, Time now);
  // The next packet that is due at `now`, if any.
  std::optional<Delivery> Receive(Time now);
  // When the next packet is due; nothing when none is under way.
  std::optional<Time> NextDue() const;

  const Counters& counters() const { return counters_; }

 private:
  struct UnderWay {
    Time due;
    std::uint64_t number;  // of equal times, the first sent comes first
    std::size_t from;
    std::size_t to;
    std::string packet;
    bool operator>(const UnderWay& other) const { return due != other.due ? due > other.due : number > other.number; }
  };

  bool IsNear(std::size_t place) const { return near_ == place; }
  Time Due(std::size_t from, std::size_t to, Time now);

  const std::size_t places_;
  const std::optional<std::size_t> near_;
  const bool keep_order_;
  Path path_;
  std::mt19937_64 random_;
  std::vector<bool> cut_;       // by from × places + to
  std::vector<Time> last_due_;  // likewise
  std::priority_queue<UnderWay, std::vector<UnderWay>, std::greater<>> under_way_;
  std::uint64_t next_number_ = 0;
  Counters counters_;
};

}  // namespace symbolon::delay_link
