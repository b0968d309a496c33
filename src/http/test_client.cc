#include "http/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>

#include "base/result.h"
#include "http/message.h"

namespace symbolon::http {

std::string ClientResponse::Header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(rest.size(), line.size() + 2));
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos && EqualIgnoringCase(line.substr(0, colon), name)) {
      return std::string(line.substr(colon + 2));
    }
  }
  return {};
}

TestClient::TestClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  SYMBOLON_CHECK(socket_ >= 0);
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SYMBOLON_CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

TestClient::~TestClient() { ::close(socket_); }

bool TestClient::Send(std::string_view octets) {
  while (!octets.empty()) {
    const auto sent = ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void TestClient::ShutdownWrite() { ::shutdown(socket_, SHUT_WR); }

bool TestClient::ReceiveMore() {
  std::array<char, 4096> buffer;
  const auto count = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (count <= 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

ClientResponse TestClient::Receive(bool head_only) {
  std::size_t head_end;
  while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!ReceiveMore()) return {};
  }
  ClientResponse response;
  response.head = received_.substr(0, head_end + 2);
  received_.erase(0, head_end + 4);
  const std::string length_text = response.Header("Content-Length");
  const std::size_t length = head_only || length_text.empty() ? 0 : std::stoul(length_text);
  while (received_.size() < length) {
    if (!ReceiveMore()) return {};
  }
  response.body = received_.substr(0, length);
  received_.erase(0, length);
  response.status = std::stoi(response.head.substr(response.head.find(' ') + 1, 3));
  return response;
}

std::string TestClient::ReceiveToEnd() {
  while (ReceiveMore()) {
  }
  return std::exchange(received_, {});
}

ClientResponse Fetch(std::uint16_t port, std::string_view request) {
  TestClient client(port);
  client.Send(request);
  return client.Receive();
}

}  // namespace symbolon::http
