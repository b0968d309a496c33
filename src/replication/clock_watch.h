// Whether another Region's clock can be told from this one's: what two Regions say of expiry, they say by their own.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/ids.h"

namespace symbolon::replication {

// Not thread-safe.
class ClockWatch {
 public:
  // Facts outlive what they speak of by ten minutes, and a request may be five old when it is passed on.
  static constexpr std::chrono::seconds kAlarm{60};
  // It ends below this one, so that a clock at the edge raises no alarm after alarm.
  static constexpr std::chrono::seconds kEnd{45};

  // The other clock minus this one, the way there in it. Answers whether the alarm began or ended.
  bool Note(std::chrono::microseconds difference);

  // nullopt: nothing has been heard.
  std::optional<std::chrono::microseconds> difference() const { return difference_; }
  bool alarmed() const { return alarmed_; }
  // "the clock of Region eu-central-1 is 70 s ahead of this Region's"
  std::string Describe(const Region& region) const;

 private:
  std::optional<std::chrono::microseconds> difference_;
  bool alarmed_ = false;
};

}  // namespace symbolon::replication
