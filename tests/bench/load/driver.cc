#include "load/driver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "load/response_reader.h"

namespace symbolon::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kPatience(10);
constexpr int kRoomPatienceMillis = 1'000;
constexpr std::uint64_t kBrokenMax = 1'000;
constexpr std::size_t kEventsAtOnce = 256;
constexpr std::size_t kReadBytes = 64 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

struct Connection {
  Descriptor socket;
  ResponseReader reader;
  bool busy = false;
  // When the request was due (open loop) or sent.
  SteadyClock::time_point counted_from;
  SteadyClock::time_point sent;
};

std::optional<std::uint64_t> NumberBehind(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* begin = text.data() + at + label.size();
  if (std::from_chars(begin, text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

class Load {
 public:
  Load(const LoadOptions& options, RequestMaker& requests)
      : options_(options), requests_(requests), next_number_(options.first_number), connections_(options.connections) {}

  Result<LoadResult, std::string> Run() {
    poll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    for (Connection& connection : connections_) SYMBOLON_TRY_VOID(Connect(connection));
    start_ = SteadyClock::now();
    deadline_ = options_.duration == nanoseconds::max() ? SteadyClock::time_point::max() : start_ + options_.duration;
    last_answer_ = start_;
    while (true) {
      const auto now = SteadyClock::now();
      if (Ended(now) && (under_way_ == 0 || now > give_up_)) break;
      SYMBOLON_TRY_VOID(SendDue(now));
      SYMBOLON_TRY_VOID(AwaitEvents());
      if (result_.broken > kBrokenMax) return Err(std::string("too many connections break"));
    }
    result_.broken += under_way_;
    result_.elapsed = last_answer_ - start_;
    return std::move(result_);
  }

 private:
  bool Ended(SteadyClock::time_point now) {
    if (!ended_ && (now >= deadline_ || result_.sent >= options_.requests_max)) {
      ended_ = true;
      give_up_ = now + kPatience;
    }
    return ended_;
  }

  Result<void, std::string> Connect(Connection& connection) {
    Descriptor socket_now(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    if (inet_pton(AF_INET, options_.address.c_str(), &address.sin_addr) != 1) {
      return Err(fmt::format("{} is no IPv4 address", options_.address));
    }
    if (connect(socket_now.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return Err(fmt::format("cannot connect to {}:{}: {}", options_.address, options_.port, std::strerror(errno)));
    }
    const int on = 1;
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    if (setsockopt(socket_now.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        fcntl(socket_now.get(), F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket_now.get(), &event) != 0) {
      return Err(fmt::format("cannot set a connection up: {}", std::strerror(errno)));
    }
    connection = Connection();
    connection.socket = std::move(socket_now);
    idle_.push_back(&connection);
    return {};
  }

  SteadyClock::time_point DueTime() const {
    const double seconds = static_cast<double>(result_.sent) / *options_.rate_per_second;
    return start_ + std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
  }

  Result<void, std::string> SendDue(SteadyClock::time_point now) {
    while (!idle_.empty() && !Ended(now)) {
      const auto due = options_.rate_per_second ? DueTime() : now;
      if (due > now) break;
      Connection& connection = *idle_.back();
      idle_.pop_back();
      const std::string& request = requests_.Make(next_number_++);
      connection.busy = true;
      connection.sent = SteadyClock::now();
      connection.counted_from = options_.rate_per_second ? due : connection.sent;
      ++under_way_;
      ++result_.sent;
      if (!Send(connection, request)) SYMBOLON_TRY_VOID(Break(connection));
      now = SteadyClock::now();
    }
    return {};
  }

  // Requests fit into a socket's buffer, so waiting for room is the exception. False: the connection is broken.
  static bool Send(const Connection& connection, std::string_view request) {
    while (!request.empty()) {
      const ssize_t written = send(connection.socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
      if (written > 0) {
        request.remove_prefix(static_cast<std::size_t>(written));
        continue;
      }
      pollfd room{.fd = connection.socket.get(), .events = POLLOUT, .revents = 0};
      if (errno != EAGAIN || poll(&room, 1, kRoomPatienceMillis) != 1) return false;
    }
    return true;
  }

  Result<void, std::string> AwaitEvents() {
    std::array<epoll_event, kEventsAtOnce> events;
    nanoseconds wait = options_.busy_poll ? nanoseconds(0) : std::chrono::milliseconds(100);
    if (options_.rate_per_second && !idle_.empty() && !ended_) {
      wait = std::clamp<nanoseconds>(DueTime() - SteadyClock::now(), nanoseconds(0), wait);
    }
    const timespec timeout{.tv_sec = 0, .tv_nsec = static_cast<long>(wait.count())};
    const int count = epoll_pwait2(poll_.get(), events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Connection& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!Read(connection)) SYMBOLON_TRY_VOID(Break(connection));
    }
    return {};
  }

  // False: the connection is broken, or the server has ended it.
  bool Read(Connection& connection) {
    const ssize_t received = recv(connection.socket.get(), read_buffer_.data(), read_buffer_.size(), 0);
    if (received < 0) return errno == EAGAIN;
    if (received == 0) return false;
    const auto progress =
        connection.reader.Take(std::string_view(read_buffer_.data(), static_cast<std::size_t>(received)));
    if (progress == ResponseReader::Progress::kNeedMore) return true;
    if (progress == ResponseReader::Progress::kMalformed || !connection.busy) return false;
    Answered(connection);
    if (!connection.reader.keeps_alive()) return false;
    connection.reader.Next();
    idle_.push_back(&connection);
    return true;
  }

  void Answered(Connection& connection) {
    const ResponseReader& reader = connection.reader;
    last_answer_ = SteadyClock::now();
    connection.busy = false;
    --under_way_;
    ++result_.by_status[reader.status()];
    result_.latencies.push_back(last_answer_ - connection.counted_from);
    if (reader.status() / 100 != 2 && result_.first_failure.empty()) result_.first_failure = reader.body();
    if (options_.record == nullptr) return;
    if (const auto number = NumberBehind(reader.response(), options_.extract)) {
      fmt::print(options_.record, "{} {} {}\n", *number, connection.sent.time_since_epoch().count(),
                 last_answer_.time_since_epoch().count());
    }
  }

  // The server ends a connection only between requests; another one takes its place.
  Result<void, std::string> Break(Connection& connection) {
    if (connection.busy) {
      ++result_.broken;
      --under_way_;
    } else {
      std::erase(idle_, &connection);
    }
    if (ended_) {
      connection = Connection();
      return {};
    }
    return Connect(connection);
  }

  const LoadOptions& options_;
  RequestMaker& requests_;
  std::uint64_t next_number_;
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  Descriptor poll_;
  std::vector<char> read_buffer_ = std::vector<char>(kReadBytes);
  SteadyClock::time_point start_, deadline_, give_up_, last_answer_;
  bool ended_ = false;
  std::uint64_t under_way_ = 0;
  LoadResult result_;
};

}  // namespace

Result<LoadResult, std::string> RunLoad(const LoadOptions& options, RequestMaker& requests) {
  return Load(options, requests).Run();
}

}  // namespace symbolon::bench
