#include "cli/lab.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "cli/configurations.h"
#include "cli/control.h"
#include "cli/files.h"
#include "cli/member.h"
#include "cli/ports.h"
#include "cli/router.h"
#include "cli/router_domains.h"
#include "cli/welcome.h"

namespace symbolon::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTick(50);      // while something starts or ends
constexpr seconds kStartPatience(60);  // then a start is called failed, and goes on
constexpr seconds kEndPatience(15);    // then a program that was asked to end is killed
constexpr std::size_t kLogLinesShown = 12;
constexpr std::string_view kEtcdHealthPath = "/health";

double Seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string_view StateName(Member::State state) {
  switch (state) {
    case Member::State::kDown:
      return "down";
    case Member::State::kStarting:
      return "starting";
    case Member::State::kReady:
      return "ready";
    case Member::State::kStopping:
      return "stopping";
  }
  return "";
}

std::filesystem::path ThisProgram() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

// This program as one types it here: by its relative path where that is shorter.
std::string Symbolon() {
  const std::string whole = ThisProgram().string();
  std::error_code error;
  const std::string relative = std::filesystem::proximate(whole, error).string();
  return !error && relative.size() < whole.size() ? relative : whole;
}

class Lab {
 public:
  Lab(const LabSettings& settings, const LabPrograms& programs, ControlServer control, Descriptor signals)
      : settings_(settings), control_(std::move(control)), signals_(std::move(signals)) {
    for (std::size_t i = 0; i < settings.etcd.size(); ++i) {
      const LabEtcdMember& member = settings.etcd[i];
      members_.emplace_back(member.name,
                            Command{.program = programs.etcd,
                                    .arguments = EtcdArguments(settings, i),
                                    .log_file = LogFile(settings.dir, member.name)},
                            Member::Probe{member.health_port, std::string(kEtcdHealthPath)},
                            PidFile(settings.dir, member.name));
    }
    for (const LabRegion& region : settings.regions) {
      const std::string& name = region.name.value();
      members_.emplace_back(
          name,
          Command{.program = programs.server,
                  .arguments = {"--config", NodeConfigurationFile(settings.dir, region.name).string()},
                  .log_file = LogFile(settings.dir, name)},
          Member::Probe{region.operations_port, std::string(kReadyPath)}, PidFile(settings.dir, name));
    }
    members_.emplace_back(std::string(kRouterName),
                          Command{.program = programs.router,
                                  .arguments = {"-db", "-f", RouterConfigurationFile(settings.dir).string()},
                                  .log_file = LogFile(settings.dir, kRouterName)},
                          Member::Probe{settings.router_port, std::string(kRouterProbePath)},
                          PidFile(settings.dir, kRouterName));
  }

  CliResult<void> Run() {
    CliResult<void> result = StartAllButTheRouter();
    while (result && !ending_) {
      Wait();
      Probe();
      AnswerWhoWaits();
      if (phase_ != Phase::kRuns && AllSettled()) result = NextPhase();
    }
    EndAll();
    return result;
  }

 private:
  enum class Phase { kStartsRegions, kStartsRouter, kRuns };

  // Somebody who asked for a member to be up or down and waits for it.
  struct Waiting {
    ControlRequest request;
    Member* member;
    bool up;
    // It was taken to be ready when somebody asked for it to be started. It may just have died without the lab's
    // knowing, and is to be started then.
    bool was_ready = false;
  };

  bool Busy() const {
    return std::ranges::any_of(members_, [](const Member& member) {
      return member.state() == Member::State::kStarting || member.state() == Member::State::kStopping;
    });
  }

  CliResult<void> StartAllButTheRouter() {
    for (std::size_t i = 0; i + 1 < members_.size(); ++i) SYMBOLON_TRY_VOID(members_[i].Start());
    return {};
  }

  // The router takes every Region for ready until it has probed it, so it comes when that is true.
  CliResult<void> NextPhase() {
    if (phase_ == Phase::kStartsRegions) {
      phase_ = Phase::kStartsRouter;
      return StartRouter();
    }
    phase_ = Phase::kRuns;
    return Welcome();
  }

  // By what the Regions that run say of their pools' domains now.
  CliResult<void> StartRouter() {
    std::vector<DomainSource> nodes;
    for (std::size_t i = 0; i < settings_.regions.size(); ++i) {
      const LabRegion& region = settings_.regions[i];
      if (members_[i].state() != Member::State::kReady) continue;
      nodes.push_back({.region = region.name, .host = region.address, .operations_port = region.operations_port});
    }
    auto domains = DomainsOf(AskForDomains(nodes), {}, /*partial=*/true);
    if (!domains) {
      Say(fmt::format("ATTENTION: the router knows no domains: {}.", domains.error().message));
      domains = std::vector<RouterDomain>();
    }
    for (const RouterDomain& domain : *domains) {
      if (!domain.failover || domain.failover->health_check == kPrimaryReady) continue;
      Say(fmt::format("The domain {} fails over by the readiness of its Region: the lab has no health check {}.",
                      domain.name, domain.failover->health_check));
    }
    SYMBOLON_TRY(const std::string configuration, LabRouterConfiguration(settings_, *std::move(domains)));
    SYMBOLON_TRY_VOID(WriteFile(RouterConfigurationFile(settings_.dir), configuration));
    return members_.back().Start();
  }

  static bool GaveUp(const Member& member) { return member.age() > kStartPatience; }

  bool AllSettled() const {
    return std::ranges::all_of(
        members_, [](const Member& member) { return member.state() != Member::State::kStarting || GaveUp(member); });
  }

  // Until a tick, a signal or a question.
  void Wait() {
    std::array<pollfd, 2> sources = {pollfd{signals_.get(), POLLIN, 0}, pollfd{control_.descriptor(), POLLIN, 0}};
    poll(sources.data(), sources.size(), Busy() ? static_cast<int>(kTick.count()) : -1);
    if ((sources[0].revents & POLLIN) != 0) TakeSignal();
    if ((sources[1].revents & POLLIN) != 0) {
      if (auto request = control_.Accept()) Handle(std::move(*request));
    }
  }

  void TakeSignal() {
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo != SIGCHLD) {
      if (ending_) hurry_ = true;
      ending_ = true;
      return;
    }
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
      const auto member = std::ranges::find(members_, pid, &Member::pid);
      if (member == members_.end()) continue;
      member->Ended(status);
      if (!ending_) TellThatItEnded(*member);
    }
  }

  void TellThatItEnded(const Member& member) {
    Say(fmt::format("{} {}.", member.name(), member.ended()));
    if (member.failed()) {
      const std::string log = LastLines(member.log_file(), kLogLinesShown);
      if (!log.empty()) Say(fmt::format("The end of {}:\n{}", member.log_file().string(), log));
    }
    if (phase_ == Phase::kRuns) {
      Say(fmt::format("It stays down until: {} lab start {} --dir {}", Symbolon(), member.name(),
                      settings_.dir.string()));
    }
  }

  void Probe() {
    for (Member& member : members_) {
      if (member.ProbeReady()) Say(fmt::format("{} is ready ({:.1f} s).", member.name(), Seconds(member.age())));
    }
    if (phase_ != Phase::kRuns && on_terminal_ && Busy()) ShowProgress();
  }

  void ShowProgress() {
    std::string line;
    for (const Member& member : members_) {
      if (member.state() == Member::State::kStarting) line += fmt::format(" {}", member.name());
    }
    fmt::print("\r\033[Kstarting{} ... {:.0f} s", line, Seconds(members_.front().age()));
    std::fflush(stdout);
    progress_shown_ = true;
  }

  void Say(std::string_view text) {
    if (progress_shown_) fmt::print("\r\033[K");
    progress_shown_ = false;
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }

  CliResult<void> Welcome() {
    const bool any_region = std::ranges::any_of(members_, [](const Member& member) {
      return member.state() == Member::State::kReady && member.name() != kRouterName &&
             !member.name().starts_with(kEtcdPrefix);
    });
    if (!any_region) return Fail("no Region became ready");
    if (members_.back().state() != Member::State::kReady) return Fail("the router did not become ready");
    Say(WelcomeText(settings_, Symbolon()));
    for (const Member& member : members_) {
      if (member.state() != Member::State::kReady) {
        Say(fmt::format("ATTENTION: {} is not ready (see {}).", member.name(), member.log_file().string()));
      }
    }
    return {};
  }

  // --- what other terminals ask for ---

  void Handle(ControlRequest request) {
    const std::string& text = request.text();
    const std::size_t space = text.find(' ');
    const std::string verb = text.substr(0, space);
    if (verb == "status") return request.Answer(true, Status());
    if (verb == "down") {
      ending_ = true;
      down_.push_back(std::move(request));
      return;
    }
    const std::string name = space == std::string::npos ? "" : text.substr(space + 1);
    const auto member = std::ranges::find(members_, name, &Member::name);
    if (member == members_.end()) {
      std::string names;
      for (const Member& known : members_) names += (names.empty() ? "" : ", ") + known.name();
      return request.Answer(false, fmt::format("this lab has no \"{}\", it has: {}", name, names));
    }
    if (verb == "start") return StartFor(std::move(request), *member);
    if (verb == "stop") return EndFor(std::move(request), *member, SIGTERM);
    if (verb == "kill") return EndFor(std::move(request), *member, SIGKILL);
    request.Answer(false, fmt::format("unknown request \"{}\"", verb));
  }

  void StartFor(ControlRequest request, Member& member) {
    if (member.state() == Member::State::kStopping) return request.Answer(false, member.name() + " is stopping");
    if (member.state() == Member::State::kDown) {
      const CliResult<void> started = member.name() == kRouterName ? StartRouter() : member.Start();
      if (!started) return request.Answer(false, started.error().message);
    }
    const bool was_ready = member.state() == Member::State::kReady;
    if (was_ready) member.Doubt();
    waiting_.push_back({.request = std::move(request), .member = &member, .up = true, .was_ready = was_ready});
  }

  void EndFor(ControlRequest request, Member& member, int signal) {
    member.End(signal);
    waiting_.push_back({.request = std::move(request), .member = &member, .up = false});
  }

  void AnswerWhoWaits() {
    std::erase_if(waiting_, [](Waiting& waiting) {
      Member& member = *waiting.member;
      switch (member.state()) {
        case Member::State::kReady:
          if (waiting.up) waiting.request.Answer(true, member.name() + " is ready");
          return waiting.up;
        case Member::State::kDown:
          if (std::exchange(waiting.was_ready, false) && member.Start()) return false;
          waiting.request.Answer(!waiting.up, fmt::format("{} {}", member.name(), member.ended()));
          return true;
        case Member::State::kStarting:
          if (!waiting.up || !GaveUp(member)) return false;
          waiting.request.Answer(false, fmt::format("{} is not ready after {} s, see {}", member.name(),
                                                    kStartPatience.count(), member.log_file().string()));
          return true;
        case Member::State::kStopping:
          return false;
      }
      return false;
    });
  }

  std::string Status() const {
    std::string text;
    for (const Member& member : members_) {
      text += fmt::format("{:<16} {:<9}", member.name(), StateName(member.state()));
      text += member.pid() != 0 ? fmt::format(" pid {}\n", member.pid()) : fmt::format(" {}\n", member.ended());
    }
    return text;
  }

  // --- the end ---

  // The router first, so that no request meets a Region that is going, then one Region after the other, then etcd.
  void EndAll() {
    ending_ = true;
    for (Waiting& waiting : waiting_) waiting.request.Answer(false, "the lab is ending");
    waiting_.clear();
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
      if (member->state() == Member::State::kDown) continue;
      const auto asked = std::chrono::steady_clock::now();
      member->End(SIGTERM);
      bool killed = false;
      while (member->state() != Member::State::kDown) {
        Wait();
        const bool late = std::chrono::steady_clock::now() - asked > kEndPatience;
        if (!killed && (late || hurry_)) {
          if (late) Say(fmt::format("{} did not end within {} s and is killed.", member->name(), kEndPatience.count()));
          member->End(SIGKILL);
          killed = true;
        }
      }
      Say(fmt::format("{} {}.", member->name(), member->ended()));
    }
    for (ControlRequest& request : down_) request.Answer(true, "the lab has ended");
  }

  const LabSettings& settings_;
  ControlServer control_;
  Descriptor signals_;
  std::vector<Member> members_;  // of etcd, the Regions, then the router
  std::vector<Waiting> waiting_;
  std::vector<ControlRequest> down_;
  const bool on_terminal_ = isatty(STDOUT_FILENO) == 1;
  bool progress_shown_ = false;
  Phase phase_ = Phase::kStartsRegions;
  bool ending_ = false;
  bool hurry_ = false;  // asked to end twice
};

CliResult<void> CheckPorts(const LabSettings& settings) {
  std::string taken;
  const auto check = [&](std::uint16_t port, std::string_view what, std::string_view flag) {
    if (!IsPortFree(port)) taken += fmt::format("\n  port {} ({}) is in use; {} moves it", port, what, flag);
  };
  check(settings.router_port, kRouterName, "--router-port");
  for (const LabRegion& region : settings.regions) {
    const std::string& name = region.name.value();
    check(region.api_port, name + ", API", "--api-ports");
    check(region.operations_port, name + ", operations", "--operations-ports");
    check(region.replication_port, name + ", replication", "--replication-ports");
  }
  for (const LabEtcdMember& member : settings.etcd) {
    for (const auto port : {member.client_port, member.peer_port, member.health_port}) {
      check(port, member.name, "--etcd-ports");
    }
  }
  if (taken.empty()) return {};
  return Fail("another program holds ports of this lab:" + taken);
}

CliResult<std::filesystem::path> FindProgram(std::string_view what, const std::filesystem::path& wanted,
                                             const std::vector<std::filesystem::path>& places) {
  const auto executable = [](const std::filesystem::path& path) { return access(path.c_str(), X_OK) == 0; };
  if (!wanted.empty()) {
    if (!executable(wanted)) return Fail(fmt::format("{} is no program", wanted.string()));
    return std::filesystem::absolute(wanted);
  }
  const auto found = std::ranges::find_if(places, executable);
  if (found == places.end())
    return Fail(fmt::format("{} was not found; it was expected at {}", what, places.front().string()));
  return *found;
}

}  // namespace

CliResult<LabPrograms> FindPrograms(const LabPrograms& wanted, bool with_etcd) {
  const std::filesystem::path self = ThisProgram();
  // Debian's place comes first, because it is not in everybody's PATH.
  std::vector<std::filesystem::path> routers = {"/usr/sbin/haproxy"};
  std::vector<std::filesystem::path> etcds = {"/usr/bin/etcd"};
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::filesystem::path folder(rest.substr(0, end));
    if (end > 0) routers.push_back(folder / "haproxy");
    if (end > 0) etcds.push_back(folder / "etcd");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  LabPrograms programs;
  SYMBOLON_TRY(programs.server, FindProgram("symbolond", wanted.server, {self.parent_path() / "symbolond"}));
  SYMBOLON_TRY(programs.router, FindProgram("haproxy", wanted.router, routers));
  if (!with_etcd) return programs;
  SYMBOLON_TRY(programs.etcd, FindProgram("etcd", wanted.etcd, etcds));
  return programs;
}

CliResult<void> RunLab(const LabSettings& settings, const LabPrograms& programs) {
  SYMBOLON_TRY_VOID(MakeFolder(settings.dir));
  SYMBOLON_TRY(ControlServer control, ControlServer::Open(settings.dir));
  if (!std::ranges::all_of(settings.regions, IsOnLoopback)) {
    return Fail(fmt::format("the lab in {} was made for several places: start each node there, symbolond --config FILE",
                            settings.dir.string()));
  }
  SYMBOLON_TRY_VOID(CheckPorts(settings));
  SYMBOLON_TRY_VOID(WriteLab(settings));

  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Lab(settings, programs, std::move(control), Descriptor(signalfd(-1, &set, SFD_CLOEXEC))).Run();
}

}  // namespace symbolon::cli
