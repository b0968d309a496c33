#include "cli/member.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <system_error>

#include "cli/files.h"
#include "cli/http_client.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

constexpr std::chrono::milliseconds kProbeTimeout(300);
constexpr int kHttpOk = 200;

std::string EndedHow(int wait_status, bool failed) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    if (signal == SIGTERM && !failed) return "ended";
    return fmt::format("was killed by signal {} ({})", signal, strsignal(signal));
  }
  const int status = WEXITSTATUS(wait_status);
  return status == 0 ? "ended" : fmt::format("ended with status {}", status);
}

}  // namespace

CliResult<void> Member::Start() {
  SYMBOLON_CHECK(state_ == State::kDown);
  SYMBOLON_TRY(pid_, Spawn(command_));
  state_ = State::kStarting;
  failed_ = false;
  started_ = std::chrono::steady_clock::now();
  return WriteFile(pid_file_, fmt::format("{}\n", pid_));
}

void Member::Doubt() {
  if (state_ != State::kReady) return;
  state_ = State::kStarting;
  started_ = std::chrono::steady_clock::now();
}

void Member::End(int signal) {
  if (state_ == State::kDown) return;
  state_ = State::kStopping;
  kill(pid_, signal);
}

void Member::Ended(int wait_status) {
  failed_ = state_ != State::kStopping;
  state_ = State::kDown;
  pid_ = 0;
  ended_ = EndedHow(wait_status, failed_);
  std::error_code error;
  std::filesystem::remove(pid_file_, error);
}

bool Member::ProbeReady() {
  if (state_ != State::kStarting) return false;
  const CliResult<HttpAnswer> answer = HttpGet({std::string(kLoopback), probe_.port}, probe_.path, kProbeTimeout);
  if (!answer || answer->status != kHttpOk) return false;
  state_ = State::kReady;
  return true;
}

}  // namespace symbolon::cli
