// An HTTP request and its response as plain values (RFC 9110), free of any library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace symbolon::http {

// ASCII only, as header names and tokens compare (RFC 9110 §5.1).
bool EqualIgnoringCase(std::string_view a, std::string_view b);

// Header fields in the order in which they came or shall go. Names compare without regard to case and may repeat.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // Replaces every field of this name by one.
  void Set(std::string_view name, std::string value);
  void Remove(std::string_view name);
  // The first field of this name, without the white space around it; valid until the fields change.
  std::optional<std::string_view> Find(std::string_view name) const;
  std::size_t Count(std::string_view name) const;

  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

struct Request {
  // As sent, case included: "POST".
  std::string method;
  // As sent ("/path?query"), still percent-encoded. For a request in absolute form without scheme and authority.
  std::string target;
  Headers headers;
  Bytes body;
  // The other end of the connection, without its port: "127.0.0.1".
  std::string peer_address;
  bool is_loopback = false;
  // Whether the connection is protected by TLS.
  bool is_tls = false;
  // When the header was complete.
  Timestamp received{};

  // The target before and after its first '?'; the query is empty if there is none. Percent-encoded.
  std::string_view path() const;
  std::string_view query() const;
};

// The server adds Date, Content-Length and Connection itself and leaves out such fields in `headers`.
struct Response {
  int status = 200;
  Headers headers;
  Bytes body;
};

}  // namespace symbolon::http
