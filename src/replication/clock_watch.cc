#include "replication/clock_watch.h"

#include <fmt/format.h>

namespace symbolon::replication {

bool ClockWatch::Note(std::chrono::microseconds difference) {
  difference_ = difference;
  const bool was_alarmed = alarmed_;
  alarmed_ = std::chrono::abs(difference) > (was_alarmed ? kEnd : kAlarm);
  return alarmed_ != was_alarmed;
}

std::string ClockWatch::Describe(const Region& region) const {
  const auto seconds =
      std::chrono::round<std::chrono::seconds>(difference_.value_or(std::chrono::microseconds())).count();
  return fmt::format("the clock of Region {} is {} s {} this Region's", region.value(), std::abs(seconds),
                     seconds < 0 ? "behind" : "ahead of");
}

}  // namespace symbolon::replication
