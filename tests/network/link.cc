#include "link.h"

#include <algorithm>
#include <utility>

namespace symbolon::delay_link {

Link::Link(std::size_t places, std::optional<std::size_t> near, Path path, std::uint64_t seed, bool keep_order)
    : places_(places),
      near_(near),
      keep_order_(keep_order),
      path_(path),
      random_(seed),
      cut_(places * places, false),
      last_due_(places * places) {}

Time Link::Due(std::size_t from, std::size_t to, Time now) {
  if (IsNear(from) || IsNear(to)) return now;
  const std::int64_t jitter = path_.jitter.count();
  const std::chrono::microseconds deviation(std::uniform_int_distribution<std::int64_t>(-jitter, jitter)(random_));
  Time due = now + std::max(path_.delay + deviation, std::chrono::microseconds(0));
  Time& last = last_due_[from * places_ + to];
  if (keep_order_) due = std::max(due, last);
  last = due;
  return due;
}

void Link::Send(std::size_t from, std::size_t to, std::string packet, Time now) {
  if (cut_[from * places_ + to]) {
    ++counters_.cut;
    return;
  }
  const bool far = !IsNear(from) && !IsNear(to);
  if (far && std::uniform_real_distribution<double>(0, 1)(random_) < path_.loss) {
    ++counters_.lost;
    return;
  }
  if (under_way_.size() == kPacketsMax) {
    ++counters_.overrun;
    return;
  }
  under_way_.push({Due(from, to, now), next_number_++, from, to, std::move(packet)});
}

std::optional<Link::Delivery> Link::Receive(Time now) {
  while (!under_way_.empty() && under_way_.top().due <= now) {
    // The order does not look at what is moved out.
    UnderWay first = std::move(const_cast<UnderWay&>(under_way_.top()));
    under_way_.pop();
    if (cut_[first.from * places_ + first.to]) {
      ++counters_.cut;
      continue;
    }
    ++counters_.carried;
    return Delivery{first.to, std::move(first.packet)};
  }
  return std::nullopt;
}

std::optional<Time> Link::NextDue() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.top().due;
}

}  // namespace symbolon::delay_link
