#include "cli/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace symbolon::cli {
namespace {

constexpr int kExitNotExecuted = 127;

// Between fork and exec: only async-signal-safe calls.
[[noreturn]] void RunChild(const char* program, char* const* arguments, int log, int null, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitNotExecuted);  // it died before the line above
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(program, arguments);
  const char* reason = strerrorname_np(errno);
  [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, "cannot be executed: ", 20);
  if (reason != nullptr) ignored = write(STDERR_FILENO, reason, strlen(reason));
  ignored = write(STDERR_FILENO, "\n", 1);
  _exit(kExitNotExecuted);
}

}  // namespace

CliResult<pid_t> Spawn(const Command& command) {
  const std::string program = command.program.string();
  std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const int log = open(command.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return Fail(fmt::format("cannot write {}: {}", command.log_file.string(), std::strerror(errno)));
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  const pid_t child = null < 0 ? -1 : fork();
  if (child == 0) RunChild(program.c_str(), arguments.data(), log, null, parent);
  const int error = errno;
  close(log);
  if (null >= 0) close(null);
  if (child < 0) return Fail(fmt::format("cannot start {}: {}", program, std::strerror(error)));
  return child;
}

}  // namespace symbolon::cli
