#include "cli/replication_watch.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <thread>
#include <utility>

#include "cli/live_view.h"

namespace symbolon::cli {
namespace {

// Serial lines and some containers' terminals do not know theirs, and tell 0.
std::pair<std::size_t, std::size_t> SizeOfTerminal() {
  constexpr std::size_t kRows = 24;
  constexpr std::size_t kColumns = 80;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return {size.ws_row == 0 ? kRows : size.ws_row, size.ws_col == 0 ? kColumns : size.ws_col};
}

}  // namespace

CliResult<void> WatchReplication(const WatchOptions& options, Clock& clock) {
  const bool on_terminal = isatty(STDOUT_FILENO) == 1;
  LiveView view;
  for (int shown = 0; !options.times || shown < *options.times; ++shown) {
    if (shown > 0) std::this_thread::sleep_for(options.interval);
    const std::vector<ReplicationReport> reports = AskNodes(options.nodes);
    if (on_terminal) {
      const auto [rows, columns] = SizeOfTerminal();
      fmt::print("{}", view.Draw(ReplicationTable(reports, clock.Now()), rows, columns));
    } else {
      fmt::print("{}", ReplicationLines(reports, clock.Now()));
    }
    if (std::fflush(stdout) != 0) return Fail("cannot write to standard output");
  }
  return {};
}

}  // namespace symbolon::cli
