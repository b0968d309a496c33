// `symbolon replication status`: roles, positions and lag of every pool, as the nodes themselves tell them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/http_client.h"

namespace symbolon::cli {

// The operations ports of the lab in `dir`.
CliResult<std::vector<HttpServer>> OperationsOfLab(const std::filesystem::path& dir);

// What one node answered to GET /replication, or why it did not.
struct ReplicationReport {
  HttpServer from;
  CliResult<std::string> json;
};

// It says that its Region is the primary of the pool.
bool IsPrimary(const ReplicationReport& report, const std::string& pool);

// A table for people; pure. Nodes that did not answer, or not so that it can be understood, are named below it.
std::string ReplicationTable(const std::vector<ReplicationReport>& reports, Timestamp now);
// The same for a log: a line with the time for each secondary.
std::string ReplicationLines(const std::vector<ReplicationReport>& reports, Timestamp now);

// Asks every node, one after the other, and blocks for at most two seconds for each.
std::vector<ReplicationReport> AskNodes(const std::vector<HttpServer>& nodes);
// The table of what they answer. Fails when none answered.
CliResult<std::string> ReplicationStatus(const std::vector<HttpServer>& nodes, Timestamp now);

}  // namespace symbolon::cli
