// Fetches by libcurl.
#pragma once

#include <chrono>
#include <filesystem>

#include "federation/fetch.h"

namespace symbolon::federation {

// https only, certificates and host names are verified, redirections are not followed, no proxy is used. Addresses of
// this machine (loopback, unspecified) and link-local ones, where cloud machines find their credentials, are refused
// whatever name leads there. Thread-safe; a connection for each request.
class CurlFetcher final : public Fetcher {
 public:
  struct Options {
    // PEM of those who may sign providers' certificates; empty: the system's.
    std::filesystem::path ca_file = {};
    // Providers on this machine may be asked too, also by http: for tests.
    bool allow_loopback = false;
    std::chrono::milliseconds timeout{5'000};
  };

  static constexpr std::size_t kAnswerBytesMax = 256 * 1024;
  static constexpr std::size_t kUrlBytesMax = 2'048;

  explicit CurlFetcher(Options options);
  Result<FetchAnswer, FetchError> Fetch(const FetchRequest& request) override;

 private:
  const Options options_;
};

}  // namespace symbolon::federation
