#include "cli/drill_probe.h"

#include <algorithm>

namespace symbolon::cli {

DrillProbe::DrillProbe(DrillLog& log, std::chrono::microseconds interval, std::size_t attempts_max,
                       std::function<DrillAttempt(std::size_t number)> attempt)
    : thread_([&log, interval, attempts_max, attempt = std::move(attempt)](const std::stop_token& stop) {
        using Clock = std::chrono::steady_clock;
        Clock::time_point next = Clock::now();
        for (std::size_t number = 0; number < attempts_max && !stop.stop_requested(); ++number) {
          std::this_thread::sleep_until(next);
          const DrillTime begun = log.Now();
          DrillAttempt done = attempt(number);
          done.begun = begun;
          done.ended = log.Now();
          log.Add(std::move(done));
          next = std::max(next + interval, Clock::now());
        }
      }) {}

}  // namespace symbolon::cli
