// One program of a running lab, a Region's node or the router: its process and what is known of it.
// Not thread-safe. It never restarts a program by itself: a Region that died stays dead, so that its loss can be tried.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/child.h"
#include "cli/failure.h"

namespace symbolon::cli {

class Member {
 public:
  enum class State {
    kDown,
    kStarting,  // runs, and does not serve yet
    kReady,     // served when it was probed last
    kStopping,  // was told to end
  };
  // Where it says that it serves: 200 to a GET.
  struct Probe {
    std::uint16_t port = 0;
    std::string path;
  };

  Member(std::string name, Command command, Probe probe, std::filesystem::path pid_file)
      : name_(std::move(name)),
        command_(std::move(command)),
        probe_(std::move(probe)),
        pid_file_(std::move(pid_file)) {}

  const std::string& name() const { return name_; }
  State state() const { return state_; }
  pid_t pid() const { return pid_; }
  const std::filesystem::path& log_file() const { return command_.log_file; }
  // Why it is down, for a person: "ended with status 1", "was killed by signal 9 (Killed)".
  const std::string& ended() const { return ended_; }
  // True when it is down although nobody told it to end.
  bool failed() const { return state_ == State::kDown && failed_; }
  // Since Start or Doubt.
  std::chrono::steady_clock::duration age() const { return std::chrono::steady_clock::now() - started_; }

  // Only when down.
  CliResult<void> Start();
  // It has to show again that it serves, if it was ready.
  void Doubt();
  // Sends the signal; nothing when it is down.
  void End(int signal);
  // Takes note of waitpid's status.
  void Ended(int wait_status);
  // Asks whether it serves, in a fraction of a second; true when it has just become ready.
  bool ProbeReady();

 private:
  const std::string name_;
  const Command command_;
  const Probe probe_;
  const std::filesystem::path pid_file_;
  State state_ = State::kDown;
  pid_t pid_ = 0;
  bool failed_ = false;
  std::string ended_ = "was not started";
  std::chrono::steady_clock::time_point started_;
};

}  // namespace symbolon::cli
