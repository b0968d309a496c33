#include "cli/replication_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "cli/http_get.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kPath = "/replication";
constexpr std::chrono::seconds kTimeout(2);
constexpr int kHttpOk = 200;

// One Region's share in a pool: what it says itself, and what the pool's primary says of it.
struct Share {
  std::string role;
  std::string status;
  std::optional<std::int64_t> epoch;
  std::optional<std::int64_t> sequence;
  std::optional<std::int64_t> lag_entries;
  std::optional<double> lag_s;
};
using Shares = std::map<std::string, Share>;          // by Region
using SharesOfPools = std::map<std::string, Shares>;  // by pool

std::string Text(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

std::optional<std::int64_t> Integer(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::optional<double> Number(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
}

const json::array* Array(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value == nullptr ? nullptr : value->if_array();
}

// The members are those of the DescribeReplication operation (model/symbolon.json).
void AddPool(const json::object& pool, SharesOfPools& pools) {
  Shares& shares = pools[Text(pool, "UserPoolId")];
  Share& own = shares[Text(pool, "Region")];
  own.role = Text(pool, "Role");
  own.epoch = Integer(pool, "Epoch");
  own.sequence = Integer(pool, "Sequence");
  const json::array* members = Array(pool, "Members");
  if (members == nullptr) return;
  for (const json::value& value : *members) {
    const json::object* member = value.if_object();
    if (member == nullptr) continue;
    Share& share = shares[Text(*member, "Region")];
    if (share.role.empty()) share.role = Text(*member, "Role");
    if (share.status.empty()) share.status = Text(*member, "Status");
    if (own.role != "PRIMARY" || &share == &own) continue;
    share.lag_entries = Integer(*member, "LagEntries");
    share.lag_s = Number(*member, "LagSeconds");
    if (!share.sequence) share.sequence = Integer(*member, "AppliedSequence");
  }
}

bool AddReport(std::string_view text, SharesOfPools& pools) {
  boost::system::error_code error;
  const json::value report = json::parse(text, error);
  const json::object* object = error ? nullptr : report.if_object();
  const json::array* array = object == nullptr ? nullptr : Array(*object, "Pools");
  if (array == nullptr) return false;
  for (const json::value& pool : *array) {
    if (const json::object* known = pool.if_object()) AddPool(*known, pools);
  }
  return true;
}

std::string OrDash(const std::optional<std::int64_t>& value) { return value ? fmt::format("{}", *value) : "-"; }

std::string Lag(const Share& share) {
  if (!share.lag_entries) return "-";
  const std::string entries = fmt::format("{} {}", *share.lag_entries, *share.lag_entries == 1 ? "entry" : "entries");
  return share.lag_s ? fmt::format("{}, {:.3f} s", entries, *share.lag_s) : entries;
}

}  // namespace

CliResult<OperationsAddress> ParseOperationsAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const tl::unexpected<Failure> wrong = Fail(fmt::format("\"{}\" is no HOST:PORT", text));
  if (colon == std::string_view::npos || colon == 0) return wrong;
  OperationsAddress address{.host = std::string(text.substr(0, colon))};
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || address.port == 0) return wrong;
  return address;
}

CliResult<std::vector<OperationsAddress>> OperationsOfLab(const std::filesystem::path& dir) {
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(dir));
  std::vector<OperationsAddress> nodes;
  for (const LabRegion& region : settings.regions) nodes.push_back({std::string(kLoopback), region.operations_port});
  return nodes;
}

std::string ReplicationTable(const std::vector<ReplicationReport>& reports) {
  constexpr std::string_view kRow = "{:<26} {:<16} {:<10} {:<9} {:>6} {:>10}  {}\n";
  SharesOfPools pools;
  std::string silent;
  for (const ReplicationReport& report : reports) {
    if (!report.json) {
      silent += report.json.error().message + "\n";
    } else if (!AddReport(*report.json, pools)) {
      silent += fmt::format("{}:{}{}: the answer is not understood\n", report.from.host, report.from.port, kPath);
    }
  }
  if (pools.empty()) return silent + "no pools\n";
  std::string table = fmt::format(fmt::runtime(kRow), "POOL", "REGION", "ROLE", "STATUS", "EPOCH", "SEQUENCE", "LAG");
  for (const auto& [pool, shares] : pools) {
    std::vector<std::pair<std::string, Share>> rows(shares.begin(), shares.end());
    std::ranges::sort(rows, {}, [](const auto& row) { return std::pair(row.second.role != "PRIMARY", row.first); });
    for (const auto& [region, share] : rows) {
      const bool primary = share.role == "PRIMARY";
      table += fmt::format(fmt::runtime(kRow), pool, region, share.role, share.status.empty() ? "-" : share.status,
                           OrDash(share.epoch), OrDash(share.sequence), primary ? "" : Lag(share));
    }
  }
  return table + silent;
}

CliResult<std::string> ReplicationStatus(const std::vector<OperationsAddress>& nodes) {
  std::vector<ReplicationReport> reports;
  for (const OperationsAddress& node : nodes) {
    const CliResult<HttpAnswer> answer = HttpGet(node.host, node.port, kPath, kTimeout);
    CliResult<std::string> text = Fail("");
    if (!answer) {
      text = Err(answer.error());
    } else if (answer->status != kHttpOk) {
      text = Fail(fmt::format("{}:{}{}: status {}", node.host, node.port, kPath, answer->status));
    } else {
      text = answer->body;
    }
    reports.push_back({node, std::move(text)});
  }
  const std::string table = ReplicationTable(reports);
  if (std::ranges::none_of(reports, [](const ReplicationReport& report) { return report.json.has_value(); })) {
    return Fail("no node answered:\n" + table);
  }
  return table;
}

}  // namespace symbolon::cli
