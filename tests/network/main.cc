// symbolon_delay_link: a network between namespaces of its own, with delay, loss and cuts, for kernels without netem.
// For root.
//
//   symbolon_delay_link --end eu-central-1=10.77.0.1 --end us-east-1=10.77.0.2 --here 10.77.0.254
//                       --delay-ms 40 --jitter-ms 10 --loss 0.01
//
// makes a network namespace for each --end, with loopback and a device that has the address; --here gives the namespace
// in which it was started an address too. Between the ends every packet takes 40 ± 10 ms each way (80 ± 20 ms there and
// back) and one in a hundred is lost; between an end and --here there is neither. It prints, a line each,
//
//   end NAME ADDRESS /proc/PID/fd/N
//   ready CONGESTION-CONTROL
//
// A program runs in an end by `nsenter --net=/proc/PID/fd/N -- PROGRAM ...`; a server listens on the end's address (or
// on 127.0.0.1, which every end has for itself). Commands on the standard input are answered by a line, `ok` or `error
// ...`:
//
//   cut A B           drops what goes from A to B, not what comes back; names of ends, or `here`
//   heal A B | heal   undoes one, or all
//   path DELAY_MS JITTER_MS LOSS
//   count             -> ok carried N lost N cut N overrun N
//
// It ends with its standard input, and takes the network along. Nothing is left behind, however it ends.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "link.h"
#include "namespaces.h"

namespace symbolon::delay_link {
namespace {

constexpr std::size_t kPacketBytesMax = 65536;
constexpr int kPacketsInARow = 64;                                 // of one end, before the others have their turn
constexpr std::size_t kDestinationOffset = 16, kHeaderBytes = 20;  // RFC 791 §3.1
constexpr const char* kHere = "here";

struct Options {
  std::vector<std::string> ends;
  std::string here;
  double delay_ms = 0;
  double jitter_ms = 0;
  double loss = 0;
  std::uint64_t seed = 1;
  bool keep_order = false;
  std::string congestion_control;
};

struct End {
  std::string name;
  std::uint32_t address = 0;  // network byte order
  Descriptor name_space;
  Descriptor tun;
};

std::uint32_t ParseAddress(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) throw std::runtime_error("no IPv4 address: " + text);
  return address.s_addr;
}

Path MakePath(double delay_ms, double jitter_ms, double loss) {
  if (!(delay_ms >= 0 && jitter_ms >= 0 && jitter_ms <= delay_ms && loss >= 0 && loss <= 1))
    throw std::runtime_error("0 <= jitter <= delay and 0 <= loss <= 1 are asked for");
  const auto micros = [](double ms) { return std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000)); };
  return {.delay = micros(delay_ms), .jitter = micros(jitter_ms), .loss = loss};
}

std::vector<End> MakeEnds(const Options& options) {
  const Descriptor home = CurrentNamespace();
  std::vector<End> ends;
  for (const std::string& text : options.ends) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) throw std::runtime_error("no NAME=ADDRESS: " + text);
    const std::string address = text.substr(equals + 1);
    End end{text.substr(0, equals), ParseAddress(address), MakeNamespace(), {}};
    BringLoopbackUp();
    if (!options.congestion_control.empty()) SetCongestionControl(options.congestion_control);
    end.tun = MakeTun(end.address);
    fmt::print("end {} {} /proc/{}/fd/{}\n", end.name, address, getpid(), end.name_space.get());
    ends.push_back(std::move(end));
  }
  const std::string congestion_control = CongestionControl();
  EnterNamespace(home);
  if (!options.here.empty()) {
    const std::uint32_t address = ParseAddress(options.here);
    ends.push_back({kHere, address, {}, MakeTun(address)});
  }
  fmt::print("ready {}\n", congestion_control);
  std::fflush(stdout);
  return ends;
}

class Network {
 public:
  Network(std::vector<End> ends, const Options& options)
      : ends_(std::move(ends)),
        link_(ends_.size(), options.here.empty() ? std::nullopt : std::optional(ends_.size() - 1),
              MakePath(options.delay_ms, options.jitter_ms, options.loss), options.seed, options.keep_order) {
    for (std::size_t i = 0; i < ends_.size(); ++i) by_address_.emplace(ends_[i].address, i);
  }

  // Until the standard input ends.
  void Run() {
    std::vector<pollfd> sources;
    for (const End& end : ends_) sources.push_back({end.tun.get(), POLLIN, 0});
    sources.push_back({STDIN_FILENO, POLLIN, 0});
    while (true) {
      const timespec wait = UntilDue();
      if (ppoll(sources.data(), sources.size(), link_.NextDue() ? &wait : nullptr, nullptr) < 0 && errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "poll");
      for (std::size_t i = 0; i < ends_.size(); ++i) {
        if ((sources[i].revents & POLLIN) != 0) ReadFrom(i);
      }
      Deliver();
      if (sources.back().revents != 0 && !ReadCommands()) return;
    }
  }

 private:
  timespec UntilDue() const {
    const auto due = link_.NextDue();
    if (!due) return {};
    const auto left = std::max(*due - std::chrono::steady_clock::now(), Time::duration(0));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    return {seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
  }

  void ReadFrom(std::size_t from) {
    for (int i = 0; i < kPacketsInARow; ++i) {
      const ssize_t size = read(ends_[from].tun.get(), buffer_.data(), buffer_.size());
      if (size <= 0) return;
      // Others than IPv4 (the kernel's own IPv6 discovery) have nowhere to go.
      if (static_cast<std::size_t>(size) < kHeaderBytes || (buffer_[0] & 0xf0) != 0x40) continue;
      std::uint32_t destination = 0;
      std::memcpy(&destination, buffer_.data() + kDestinationOffset, sizeof destination);
      const auto to = by_address_.find(destination);
      if (to == by_address_.end() || to->second == from) continue;
      link_.Send(from, to->second, std::string(buffer_.data(), static_cast<std::size_t>(size)),
                 std::chrono::steady_clock::now());
    }
  }

  void Deliver() {
    const Time now = std::chrono::steady_clock::now();
    while (const auto delivery = link_.Receive(now)) {
      // A device that takes no packet now drops it, as any device does.
      [[maybe_unused]] const ssize_t written =
          write(ends_[delivery->to].tun.get(), delivery->packet.data(), delivery->packet.size());
    }
  }

  // False at the end of the input.
  bool ReadCommands() {
    std::array<char, 4096> octets;
    const ssize_t size = read(STDIN_FILENO, octets.data(), octets.size());
    if (size <= 0) return false;
    input_.append(octets.data(), static_cast<std::size_t>(size));
    for (std::size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      const std::string command = input_.substr(0, end);
      input_.erase(0, end + 1);
      try {
        fmt::print("ok{}\n", Obey(command));
      } catch (const std::exception& error) {
        fmt::print("error {}\n", error.what());
      }
      std::fflush(stdout);
    }
    return true;
  }

  std::string Obey(const std::string& command) {
    std::istringstream words(command);
    std::string verb, from, to;
    words >> verb;
    if (verb == "count") {
      const Counters& count = link_.counters();
      return fmt::format(" carried {} lost {} cut {} overrun {}", count.carried, count.lost, count.cut, count.overrun);
    }
    if (verb == "path") {
      double delay_ms = 0, jitter_ms = 0, loss = 0;
      if (!(words >> delay_ms >> jitter_ms >> loss)) throw std::runtime_error("path DELAY_MS JITTER_MS LOSS");
      link_.SetPath(MakePath(delay_ms, jitter_ms, loss));
      return "";
    }
    const bool named = static_cast<bool>(words >> from >> to);
    if (verb == "heal" && from.empty()) {
      link_.HealAll();
    } else if (verb == "heal" && named) {
      link_.Heal(Find(from), Find(to));
    } else if (verb == "cut" && named) {
      link_.Cut(Find(from), Find(to));
    } else {
      throw std::runtime_error("cut A B, heal A B, heal, path DELAY_MS JITTER_MS LOSS, count");
    }
    return "";
  }

  std::size_t Find(const std::string& name) const {
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      if (ends_[i].name == name) return i;
    }
    throw std::runtime_error("no end " + name);
  }

  const std::vector<End> ends_;
  Link link_;
  std::map<std::uint32_t, std::size_t> by_address_;
  std::array<char, kPacketBytesMax> buffer_;
  std::string input_;
};

int Main(int argc, char** argv) {
  CLI::App app("A network with delay, loss and cuts between namespaces of its own (see the head of main.cc)",
               "symbolon_delay_link");
  Options options;
  app.add_option("--end", options.ends, "A namespace to make")->type_name("NAME=ADDRESS")->required();
  app.add_option("--here", options.here, "Address of the namespace that this is started in; near to every end");
  app.add_option("--delay-ms", options.delay_ms, "One way, between two ends");
  app.add_option("--jitter-ms", options.jitter_ms, "Each packet takes the delay, more or less this, uniformly");
  app.add_option("--loss", options.loss, "Share of packets lost, 0 to 1, each way");
  app.add_option("--seed", options.seed, "Of what is random")->capture_default_str();
  app.add_flag("--keep-order", options.keep_order, "No packet overtakes another");
  app.add_option("--congestion-control", options.congestion_control, "Of the ends: bbr, cubic (the machine's)");
  CLI11_PARSE(app, argc, argv);
  // Waits end within a microsecond or so of the moment that was asked for, not within the usual fifty.
  prctl(PR_SET_TIMERSLACK, 1);
  try {
    Network(MakeEnds(options), options).Run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "symbolon_delay_link: {}\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace symbolon::delay_link

int main(int argc, char** argv) { return symbolon::delay_link::Main(argc, argv); }
