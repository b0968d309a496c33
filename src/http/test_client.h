// A blocking HTTP client for tests, down to the octets: what it sends need not be HTTP. Test support.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace symbolon::http {

struct ClientResponse {
  // 0: the connection ended before a whole response.
  int status = 0;
  // Status line and fields, as they came.
  std::string head;
  std::string body;
  // The first field of this name; empty if there is none.
  std::string Header(std::string_view name) const;
};

// One connection to 127.0.0.1. A read that hears nothing for a minute fails, so that a broken server fails a test.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False if the server has closed.
  bool Send(std::string_view octets);
  void ShutdownWrite();
  // The next response, without a body if `head_only`; interim ones (100) are responses too.
  ClientResponse Receive(bool head_only = false);
  // Everything until the server closes.
  std::string ReceiveToEnd();

 private:
  // False at the end of the stream.
  bool ReceiveMore();

  int socket_;
  std::string received_;
};

// One request on a connection of its own.
ClientResponse Fetch(std::uint16_t port, std::string_view request);

}  // namespace symbolon::http
