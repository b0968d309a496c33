#include "cli/replication_watch.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "cli/live_view.h"

namespace symbolon::cli {

CliResult<void> WatchReplication(const WatchOptions& options, Clock& clock) {
  const bool on_terminal = isatty(STDOUT_FILENO) == 1;
  LiveView view;
  for (int shown = 0; !options.times || shown < *options.times; ++shown) {
    if (shown > 0) std::this_thread::sleep_for(options.interval);
    const std::vector<ReplicationReport> reports = AskNodes(options.nodes);
    if (on_terminal) {
      winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
      ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
      fmt::print("{}", view.Draw(ReplicationTable(reports, clock.Now()), size.ws_row, size.ws_col));
    } else {
      fmt::print("{}", ReplicationLines(reports, clock.Now()));
    }
    if (std::fflush(stdout) != 0) return Fail("cannot write to standard output");
  }
  return {};
}

}  // namespace symbolon::cli
