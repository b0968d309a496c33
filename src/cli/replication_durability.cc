#include "cli/replication_durability.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>

#include "cli/replication_status.h"

namespace symbolon::cli {
namespace {

constexpr std::chrono::seconds kTimeout(10);

std::string Upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<HttpServer> NodesOf(const LabSettings& lab) {
  std::vector<HttpServer> nodes;
  for (const LabRegion& region : lab.regions) nodes.push_back({region.address, region.operations_port});
  return nodes;
}

ApiAccess AccessTo(const LabSettings& lab, const LabRegion& region) {
  return ApiAccess{.server = {region.address, region.api_port},
                   .region = region.name.value(),
                   .access_key_id = lab.access_key_id,
                   .secret_access_key = lab.secret_access_key.Clone()};
}

}  // namespace

std::string DurabilityJson(const DurabilityRequest& request) {
  boost::json::object json{{"UserPoolId", request.pool}, {"Mode", Upper(request.mode)}};
  if (request.lag_bound_seconds) json["LagBoundSeconds"] = *request.lag_bound_seconds;
  if (request.falls_back) json["Fallback"] = "FALL_BACK";
  return boost::json::serialize(json);
}

CliResult<ApiAccess> PrimaryOfLab(const LabSettings& lab, const std::string& pool) {
  const std::vector<ReplicationReport> reports = AskNodes(NodesOf(lab));
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (IsPrimary(reports[i], pool)) return AccessTo(lab, lab.regions[i]);
  }
  return Fail(fmt::format("no Region of the lab that runs is the primary of {}", pool));
}

CliResult<ApiAccess> RegionOfLab(const LabSettings& lab, const std::string& region) {
  const std::vector<ReplicationReport> reports =
      region.empty() ? AskNodes(NodesOf(lab)) : std::vector<ReplicationReport>();
  for (std::size_t i = 0; i < lab.regions.size(); ++i) {
    const bool wanted = region.empty() ? reports[i].json.has_value() : lab.regions[i].name.value() == region;
    if (wanted) return AccessTo(lab, lab.regions[i]);
  }
  return Fail(region.empty() ? "no Region of the lab answers" : fmt::format("the lab has no Region {}", region));
}

CliResult<ApiAccess> AccessFromEnvironment(const std::string& endpoint) {
  ApiAccess access;
  SYMBOLON_TRY(access.server, ParseHttpServer(endpoint));
  access.region = FromEnvironment("AWS_REGION");
  access.access_key_id = FromEnvironment("AWS_ACCESS_KEY_ID");
  access.secret_access_key = Secret::CopyOf(FromEnvironment("AWS_SECRET_ACCESS_KEY"));
  if (access.region.empty() || access.access_key_id.empty() || access.secret_access_key.view().empty()) {
    return Fail("AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set");
  }
  return access;
}

CliResult<void> SetDurability(const ApiAccess& access, const DurabilityRequest& request, Clock& clock) {
  SYMBOLON_TRY(const std::string answer,
               CallApi(access, "SetReplicationDurability", DurabilityJson(request), clock, kTimeout));
  fmt::print("{}\n", answer);
  return {};
}

}  // namespace symbolon::cli
