// HTTPS POST by libcurl, over connections that are kept.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace symbolon::keys::aws_kms {

struct HttpsAnswer {
  int status = 0;
  Secret body;
};

// Thread-safe. Certificates and host names are verified. Redirections are not followed.
class Https {
 public:
  // `url`: "https://host[:port]/" (or http). `ca_file`: PEM of those who may sign; empty for the system's.
  Https(std::string url, std::filesystem::path ca_file);
  ~Https();
  Https(const Https&) = delete;
  Https& operator=(const Https&) = delete;

  // `headers`: "Name: value". Blocks for `timeout` at most. Fails when no whole answer came, or one larger than
  // kAnswerBytesMax; the error is for the operator's log. Its connection is kept for the next, idle ones up to
  // kIdleConnectionsMax.
  Result<HttpsAnswer, std::string> Post(const std::vector<std::string>& headers, BytesView body,
                                        std::chrono::milliseconds timeout);

  static constexpr std::size_t kAnswerBytesMax = 64 * 1024;
  static constexpr std::size_t kIdleConnectionsMax = 8;

 private:
  struct Connection;
  std::unique_ptr<Connection> Take();
  void Keep(std::unique_ptr<Connection> connection);

  const std::string url_;
  const std::filesystem::path ca_file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

}  // namespace symbolon::keys::aws_kms
