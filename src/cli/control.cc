#include "cli/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace symbolon::cli {
namespace {

constexpr const char* kSocketName = "lab.sock";
constexpr std::size_t kRequestMaxBytes = 256;
constexpr std::size_t kAnswerMaxBytes = 16 * 1024;
constexpr int kBacklog = 16;
// The answer to `start` comes when the Region serves; a lab gives up on that sooner than this.
constexpr int kAnswerTimeoutS = 120;
constexpr int kRequestTimeoutS = 1;
constexpr char kGood = '+';
constexpr char kBad = '-';

Descriptor PacketSocket() { return Descriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

void SetReceiveTimeout(int descriptor, int seconds) {
  const timeval timeout{.tv_sec = seconds, .tv_usec = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

// A socket's address holds 107 characters and a folder's path may be longer: the way leads through the open folder.
std::optional<sockaddr_un> AddressIn(const Descriptor& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder.get(), kSocketName);
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = other.descriptor_;
    other.descriptor_ = -1;
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ControlRequest::Answer(bool good, std::string_view text) {
  const std::string packet = (good ? kGood : kBad) + std::string(text.substr(0, kAnswerMaxBytes - 1));
  // Whoever asked may have gone; there is nobody else to tell.
  [[maybe_unused]] const ssize_t sent = send(connection_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
}

CliResult<ControlServer> ControlServer::Open(const std::filesystem::path& dir) {
  Descriptor lock(open((dir / kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) return Fail(fmt::format("cannot write {}: {}", (dir / kLockName).string(), std::strerror(errno)));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(fmt::format("a lab is running in {} already; `symbolon lab down --dir {}` ends it", dir.string(),
                            dir.string()));
  }
  const std::filesystem::path path = dir / kSocketName;
  unlink(path.c_str());  // of a lab that was killed
  const Descriptor folder(open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto address = AddressIn(folder);
  Descriptor socket = PacketSocket();
  if (!address || bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    return Fail(fmt::format("cannot listen at {}: {}", path.string(), std::strerror(errno)));
  }
  return ControlServer(path, std::move(lock), std::move(socket));
}

ControlServer::~ControlServer() {
  if (socket_.get() >= 0) unlink(path_.c_str());
}

std::optional<ControlRequest> ControlServer::Accept() {
  Descriptor connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (connection.get() < 0) return std::nullopt;
  SetReceiveTimeout(connection.get(), kRequestTimeoutS);
  std::array<char, kRequestMaxBytes> packet{};
  const ssize_t size = recv(connection.get(), packet.data(), packet.size(), 0);
  if (size <= 0) return std::nullopt;
  return ControlRequest(std::move(connection), std::string(packet.data(), static_cast<std::size_t>(size)));
}

CliResult<std::string> AskLab(const std::filesystem::path& dir, std::string_view request) {
  const Descriptor folder(open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return Fail(fmt::format("{}: {}", dir.string(), std::strerror(errno)));
  const auto address = AddressIn(folder);
  const Descriptor socket = PacketSocket();
  if (!address || connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return Fail(
        fmt::format("no lab is running in {}; `symbolon lab up --dir {}` starts it", dir.string(), dir.string()));
  }
  SetReceiveTimeout(socket.get(), kAnswerTimeoutS);
  std::string answer(kAnswerMaxBytes, '\0');
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return Fail("the lab does not listen");
  const ssize_t size = recv(socket.get(), answer.data(), answer.size(), 0);
  if (size == 0) return Fail("the lab ended before it answered");
  if (size < 0) return Fail(fmt::format("the lab does not answer: {}", std::strerror(errno)));
  answer.resize(static_cast<std::size_t>(size));
  if (answer.front() != kGood) return Fail(answer.substr(1));
  return answer.substr(1);
}

}  // namespace symbolon::cli
