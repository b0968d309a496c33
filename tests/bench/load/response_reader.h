// Finds where HTTP/1.1 responses end (RFC 9112), as far as the servers measured here need it: Content-Length, no
// chunks. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace symbolon::bench {

class ResponseReader {
 public:
  enum class Progress { kNeedMore, kDone, kMalformed };

  // Appends what arrived. After kDone the response can be looked at until Next().
  Progress Take(std::string_view octets);

  int status() const { return status_; }
  // Head and body.
  std::string_view response() const { return std::string_view(buffer_).substr(0, end_); }
  std::string_view body() const { return response().substr(head_bytes_); }
  bool keeps_alive() const { return keeps_alive_; }

  // Drops the response. What arrived behind it is kept: see Take("").
  void Next();

 private:
  bool ParseHead(std::string_view head);

  std::string buffer_;
  // 0 until they are known.
  std::size_t head_bytes_ = 0;
  std::size_t end_ = 0;
  int status_ = 0;
  bool keeps_alive_ = true;
};

}  // namespace symbolon::bench
