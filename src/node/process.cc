#include "node/process.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstring>

namespace symbolon::node {
namespace {

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

sigset_t HeldSignals() {
  sigset_t signals = TerminationSignals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

Result<void, std::string> HideProcess() {
  ::umask(077);
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return Err(fmt::format("cannot switch core dumps off: {}", std::strerror(errno)));
  }
  return {};
}

Result<void, std::string> PrepareProcess(std::size_t file_descriptors) {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
    return Err(fmt::format("cannot read the limit of file descriptors: {}", std::strerror(errno)));
  }
  if (descriptors.rlim_max < file_descriptors) {
    return Err(fmt::format("http.connection_limit needs {} file descriptors, and the hard limit (ulimit -Hn) is {}",
                           file_descriptors, descriptors.rlim_max));
  }
  descriptors.rlim_cur = std::max<rlim_t>(descriptors.rlim_cur, file_descriptors);
  if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
    return Err(fmt::format("cannot raise the limit of file descriptors: {}", std::strerror(errno)));
  }
  return {};
}

void HoldSignals() {
  const sigset_t signals = HeldSignals();
  SYMBOLON_CHECK(::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
}

int AwaitSignal() {
  const sigset_t held = HeldSignals();
  const sigset_t signals = TerminationSignals();
  int signal = 0;
  SYMBOLON_CHECK(::sigwait(&held, &signal) == 0);
  if (signal == SIGHUP) return signal;
  SYMBOLON_CHECK(::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr) == 0);
  return signal;
}

}  // namespace symbolon::node
