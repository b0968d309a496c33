// `symbolon replication verify`: has a pool's Regions compare their copies, and tells what came of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct VerifyFlags {
  std::string pool;
  // The lab whose Regions are asked, with its access key; or one API, with the environment's.
  std::filesystem::path dir = ".lab";
  std::string endpoint;
  // Of the lab: which one compares; empty: the pool's primary, or else the first that answers.
  std::string region;
  std::optional<std::int64_t> records_per_second;
  bool json = false;
};

// Blocks until the comparison is done; prints the result, and how far it is on a terminal. Fails with exit status 1
// when the copies differ, with 2 when not all could be compared or the comparison could not be made.
CliResult<void> VerifyReplicas(const VerifyFlags& flags, Clock& clock);

// ---- pure ----

// What a DescribeReplicationVerification answer says.
struct VerificationView {
  bool done = false;
  // 0: equal, 1: differing, 2: neither. Of one that is done.
  int exit_status = 2;
  // For people: the result of one that is done, otherwise one line about how far it is.
  std::string text;
  // The Verification member as it came.
  std::string json;
};
// Fails when the text is no such answer.
CliResult<VerificationView> ViewVerification(std::string_view json);

}  // namespace symbolon::cli
