// `symbolon replication drill`: rehearses the loss of a primary on a running system, planned: to another Region and
// back, while people sign in and write, and reports what they noticed.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/api_call.h"
#include "cli/drill_report.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct DrillFlags {
  std::string pool;
  // The lab whose Regions are asked, with its access key; or their APIs ("eu-central-1=10.0.0.1:9410"), with the
  // environment's access key.
  std::filesystem::path dir = ".lab";
  std::vector<std::string> endpoints;
  // Empty: the only secondary that may.
  std::string to;
  // Where the report goes as JSON as well; empty: nowhere.
  std::filesystem::path report;
  int interval_ms = 20;
  // Time before, between and after the two promotions.
  double settle_s = 2;
};

// Blocks until it is done and everything that it made is removed again, also after Ctrl-C. Prints the report. Fails
// with exit status 1 when it was not passed, with 2 when it was refused and nothing was done. To be called once in a
// process, which has no other threads.
CliResult<void> RunDrill(const DrillFlags& flags, Clock& clock, Random& random);

// ---- pure ----

// What a Region says of the pool (an answer to DescribeReplication).
struct DrillRegionState {
  std::string region;
  bool primary = false;
  std::int64_t epoch = 0;
  std::int64_t sequence = 0;
  bool out_of_reach = false;
  struct Member {
    std::string region;
    bool active = false;
    bool connected = false;
    std::int64_t lag_entries = 0;
    std::optional<double> lag_s;
  };
  std::vector<Member> members;
};
CliResult<DrillRegionState> ParseRegionState(std::string_view json);

// From where to where, and in which Regions people sign in: the primary and the ACTIVE replicas, of those that were
// asked.
struct DrillPlan {
  std::string from;
  std::string to;
  std::vector<std::string> regions;
};
// Fails, with every reason, when the pool is not fit. `to` empty: the only secondary.
CliResult<DrillPlan> PlanDrill(const std::vector<DrillRegionState>& states, const std::string& to);

// A user that the pool takes: the AdminCreateUser request for it, by what DescribeUserPool answered.
struct DrillUser {
  std::string username;
  std::string password;
  std::string create_json;
};
CliResult<DrillUser> MakeDrillUser(std::string_view described_pool, const std::string& pool, const std::string& id,
                                   Random& random);

}  // namespace symbolon::cli
