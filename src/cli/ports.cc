#include "cli/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>

namespace symbolon::cli {
namespace {

// Linux takes outgoing ports from 32768 upwards (ip_local_port_range).
constexpr std::uint16_t kFirst = 10000;
constexpr std::uint16_t kLast = 32000;
constexpr int kAttemptsMax = 10000;

}  // namespace

bool IsPortFree(std::uint16_t port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return false;
  const int on = 1;
  setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(socket_fd);
  return free;
}

CliResult<std::vector<std::uint16_t>> FreePorts(std::size_t count, const std::set<std::uint16_t>& taken) {
  std::random_device seed;
  std::uniform_int_distribution<std::uint16_t> any(kFirst, kLast);
  std::vector<std::uint16_t> ports;
  for (int attempt = 0; ports.size() < count; ++attempt) {
    if (attempt == kAttemptsMax) return Fail("no free TCP ports on this machine");
    const std::uint16_t port = any(seed);
    const bool drawn = taken.contains(port) || std::ranges::find(ports, port) != ports.end();
    if (!drawn && IsPortFree(port)) ports.push_back(port);
  }
  return ports;
}

}  // namespace symbolon::cli
