// Sends a load over keep-alive connections from one thread, and measures.
//
// Closed loop: every connection sends its next request as soon as it has its answer. Open loop (`rate_per_second`):
// request i is due at i / rate, and its latency counts from then on, so that a server that stalls is seen to stall.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/request_maker.h"

namespace symbolon::bench {

struct LoadOptions {
  // IPv4.
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::optional<double> rate_per_second;
  // Never sleeps between answers: the server need not wake this thread, as it would not if it ran on another machine.
  bool busy_poll = false;
  // Ends when either is reached.
  std::chrono::nanoseconds duration = std::chrono::nanoseconds::max();
  std::uint64_t requests_max = UINT64_MAX;
  std::uint64_t first_number = 0;
  // Set: for each response that has `extract` in it, the number behind it, and when the request was sent and the
  // response was there (nanoseconds of CLOCK_MONOTONIC), as one line in `record`, which the caller closes.
  std::FILE* record = nullptr;
  std::string extract;
};

struct LoadResult {
  std::uint64_t sent = 0;
  std::map<int, std::uint64_t> by_status;
  // Connections that ended or answers that were none.
  std::uint64_t broken = 0;
  std::chrono::nanoseconds elapsed{};
  // Of all responses, unsorted.
  std::vector<std::chrono::nanoseconds> latencies;
  // The first answer that is not 2xx, for the reader.
  std::string first_failure;
};

// Blocks until the load is over and every request is answered, or given up 10 s later. The error says why there is
// nothing to measure.
Result<LoadResult, std::string> RunLoad(const LoadOptions& options, RequestMaker& requests);

}  // namespace symbolon::bench
