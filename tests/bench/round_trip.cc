#include "round_trip.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "floor_store.h"
#include "node/config.h"
#include "replication/grpc/grpc_transport.h"

namespace symbolon::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using replication::grpc_link::GrpcTransport;
using replication::grpc_link::TransportOptions;

// A user's record in an entry with its digests.
constexpr std::size_t kFrameBytes = 1'500;
// An acknowledgement: a head, a pool.
constexpr std::size_t kAnswerBytes = 120;
constexpr std::chrono::seconds kPatience(10);

replication::pb::Frame MakeFrame(std::size_t size_bytes) {
  replication::pb::Frame frame;
  frame.mutable_copy_ack()->set_cursor(std::string(size_bytes, 'c'));
  return frame;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<TransportOptions, std::string> OptionsOf(const std::string& config_file) {
  const auto config = node::LoadConfig(config_file);
  if (!config || !config->replication) return Err(config_file + " describes no Region with others");
  TransportOptions options;
  options.listen = "127.0.0.1:0";
  for (const node::RegionConfig& region : config->regions) {
    if (region.name != config->region) options.peers[region.name] = "127.0.0.1:0";
  }
  options.ca_pem = ReadAll(config->replication->tls.ca);
  options.certificate_pem = ReadAll(config->replication->tls.certificate);
  options.key_pem = ReadAll(config->replication->tls.key);
  return options;
}

// One link that sends one kind of frame, each when it is asked to, what comes before it is durable, and the one before
// it has left.
class EventsOfOneLink : public replication::Transport::Events {
 public:
  // `store`: nullptr when nothing is committed.
  EventsOfOneLink(GrpcTransport& transport, FloorStore* store, std::size_t frame_bytes)
      : transport_(transport), store_(store), frame_(MakeFrame(frame_bytes)) {}
  replication::LinkId NewLink() override { return 2; }
  void OnAccepted(replication::LinkId, const Region&) override {}
  void OnConnected(replication::LinkId) override {}
  void OnClosed(replication::LinkId) override {}
  void OnSent(replication::LinkId link) override {
    const std::lock_guard lock(sending_mutex_);
    writable_ = true;
    SendIfDue(link);
  }
  void OnControl(const Region&, replication::pb::ControlRequest,
                 std::function<void(replication::pb::ControlAnswer)> answer) override {
    answer({});
  }

 protected:
  void Send(replication::LinkId link) {
    if (store_ == nullptr) return SendNow(link);
    store_->Commit([this, link] { SendNow(link); });
  }
  void SendNow(replication::LinkId link) {
    const std::lock_guard lock(sending_mutex_);
    due_ = true;
    SendIfDue(link);
  }
  // A dialled link takes frames when it stands.
  void SetWritable() { writable_ = true; }
  GrpcTransport& transport() { return transport_; }

 private:
  void SendIfDue(replication::LinkId link) {
    if (!due_ || !writable_) return;
    due_ = writable_ = false;
    transport_.Send(link, frame_);
  }

  GrpcTransport& transport_;
  FloorStore* const store_;
  const replication::pb::Frame frame_;
  // gRPC may tell within a call that a frame has left.
  std::recursive_mutex sending_mutex_;
  bool due_ = false;
  bool writable_ = false;
};

class Answering final : public EventsOfOneLink {
 public:
  Answering(GrpcTransport& transport, FloorStore* store) : EventsOfOneLink(transport, store, kAnswerBytes) {}
  void OnFrame(replication::LinkId link, replication::pb::Frame) override {
    transport().Resume(link);
    Send(link);
  }
};

class Asking final : public EventsOfOneLink {
 public:
  Asking(GrpcTransport& transport, FloorStore* store) : EventsOfOneLink(transport, store, kFrameBytes) {}

  void OnConnected(replication::LinkId link) override {
    SetWritable();
    end_ = SteadyClock::now() + duration_;
    Ask(link);
  }
  void OnFrame(replication::LinkId link, replication::pb::Frame) override {
    const auto now = SteadyClock::now();
    latencies_micros_.push_back(std::chrono::duration<double, std::micro>(now - asked_).count());
    transport().Resume(link);
    if (now < end_) return Ask(link);
    End();
  }
  void OnClosed(replication::LinkId) override { End(); }

  // Sorted; empty: it did not work.
  std::vector<double> Measure(const Region& peer, double seconds) {
    duration_ = std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
    transport().Dial(peer, 1);
    std::unique_lock lock(mutex_);
    const bool in_time = ended_.wait_for(lock, duration_ + kPatience, [this] { return over_; });
    lock.unlock();
    transport().Stop();
    std::ranges::sort(latencies_micros_);
    return in_time ? std::move(latencies_micros_) : std::vector<double>();
  }

 private:
  void Ask(replication::LinkId link) {
    asked_ = SteadyClock::now();
    Send(link);
  }
  void End() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    ended_.notify_all();
  }

  SteadyClock::duration duration_{};
  // One frame is under way at a time, so these are one reaction's after the other's.
  SteadyClock::time_point asked_, end_;
  std::vector<double> latencies_micros_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
};

int Complain(std::string_view message) {
  fmt::print(stderr, "symbolon_floor: {}\n", message);
  return 1;
}

// nullopt: it does not open.
std::optional<std::unique_ptr<FloorStore>> StoreOf(const FloorRegion& region) {
  if (region.store_directory.empty()) return nullptr;
  std::unique_ptr<FloorStore> store = FloorStore::Open(region.store_directory);
  if (!store) return std::nullopt;
  return store;
}

// Tells its port, and answers frames until the parent ends.
[[noreturn]] void Answer(const FloorRegion& region, int port_to) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto options = OptionsOf(region.config_file);
  if (!options) _exit(Complain(options.error()));
  const auto store = StoreOf(region);
  if (!store) _exit(1);
  GrpcTransport transport(*std::move(options));
  Answering events(transport, store->get());
  if (const auto started = transport.Start(events); !started) _exit(Complain(started.error().detail));
  const std::uint16_t port = transport.port();
  if (write(port_to, &port, sizeof port) != sizeof port) _exit(1);
  while (true) pause();
}

int Ask(double seconds, const FloorRegion& region, int port_from) {
  std::uint16_t port = 0;
  if (read(port_from, &port, sizeof port) != sizeof port) return Complain("the other process did not start");
  auto options = OptionsOf(region.config_file);
  if (!options) return Complain(options.error());
  auto store = StoreOf(region);
  if (!store) return 1;
  if (options->peers.size() != 1) return Complain("the topology must have two Regions");
  const Region peer = options->peers.begin()->first;
  options->peers[peer] = fmt::format("127.0.0.1:{}", port);
  GrpcTransport transport(*std::move(options));
  Asking events(transport, store->get());
  if (const auto started = transport.Start(events); !started) return Complain(started.error().detail);
  const std::vector<double> micros = events.Measure(peer, seconds);
  // Before `events`, which it calls.
  store->reset();
  if (micros.empty()) return Complain("no frame came back");
  const auto percentile = [&micros](double share) {
    return micros[static_cast<std::size_t>(share * static_cast<double>(micros.size() - 1))];
  };
  fmt::print(R"({{"operations":{},"latency_us":{{"p50":{:.1f},"p99":{:.1f}}}}})"
             "\n",
             micros.size(), percentile(0.5), percentile(0.99));
  return 0;
}

}  // namespace

int RoundTrips(double seconds, const FloorRegion& from, const FloorRegion& to) {
  int ends[2];
  SYMBOLON_CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  SYMBOLON_CHECK(child >= 0);
  if (child == 0) Answer(to, ends[1]);
  close(ends[1]);
  const int status = Ask(seconds, from, ends[0]);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return status;
}

}  // namespace symbolon::bench
