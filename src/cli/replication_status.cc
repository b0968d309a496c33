#include "cli/replication_status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <variant>

#include "cli/settings.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kPath = "/replication";
constexpr std::chrono::seconds kTimeout(2);
constexpr int kHttpOk = 200;

struct Copy {
  std::int64_t records = 0;
  std::int64_t record_count = 0;
  std::int64_t bytes = 0;
  std::int64_t byte_count = 0;
  double bytes_per_second = 0;
  std::optional<double> remaining_s;
};

// One Region's share in a pool: what it says itself, and what the pool's primary says of it.
struct Share {
  std::string role;
  std::string status;
  std::optional<std::int64_t> epoch;
  std::optional<std::int64_t> sequence;
  std::optional<std::int64_t> lag_entries;
  std::optional<double> lag_s;
  // Unix time at which the primary last heard of it.
  std::optional<double> last_contact_s;
  bool connected = false;
  std::optional<Copy> copy;
  // Of a primary: "sync, falls back"; empty for async.
  std::string durability;
  // Of a primary with an authority: "lease 7.9 s, automatic"; otherwise empty.
  std::string lease;
  std::string problem;
  bool forwards_writes = false;
  // By Region: entries of fact logs that this one has and that one has not acknowledged.
  std::map<std::string, std::int64_t> unacknowledged_facts;
  // When this Region compared the pool's copies last (Unix time), and what came of it.
  double verified_at_s = 0;
  std::string verified;
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

bool Flag(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_bool() && value->as_bool();
}

const json::object* Object(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value == nullptr ? nullptr : value->if_object();
}

// The members are those of the DescribeReplication operation (model/symbolon.json).
std::string DurabilityOf(const json::object& pool) {
  const json::object* durability = Object(pool, "Durability");
  if (durability == nullptr) return "";
  const std::string mode = Text(*durability, "Mode");
  if (mode == "BOUNDED") return fmt::format("bounded, {} s", Integer(*durability, "LagBoundSeconds").value_or(0));
  if (mode == "SYNC") return Text(*durability, "Fallback") == "FALL_BACK" ? "sync, falls back" : "sync, refuses";
  return "";
}

std::string LeaseOf(const json::object& pool) {
  const json::object* authority = Object(pool, "Authority");
  if (authority == nullptr || Text(*authority, "Kind") != "ETCD") return "";
  std::string text = fmt::format("lease {:.1f} s", Number(*authority, "LeaseRemainingSeconds").value_or(0));
  if (const auto wait = Number(*authority, "AutomaticPromotionWaitSeconds")) {
    text += fmt::format(", automatic promotion waits {:.0f} s: last one was {:.0f} s ago", *wait,
                        Number(*authority, "LastAutomaticPromotionSecondsAgo").value_or(0));
  } else if (Flag(*authority, "AutomaticPromotion")) {
    text += ", automatic";
  }
  return text;
}

std::optional<Copy> CopyOf(const json::object& member) {
  const json::object* copy = Object(member, "Copy");
  if (copy == nullptr) return std::nullopt;
  return Copy{.records = Integer(*copy, "Records").value_or(0),
              .record_count = Integer(*copy, "RecordCount").value_or(0),
              .bytes = Integer(*copy, "Bytes").value_or(0),
              .byte_count = Integer(*copy, "ByteCount").value_or(0),
              .bytes_per_second = Number(*copy, "BytesPerSecond").value_or(0),
              .remaining_s = Number(*copy, "RemainingSeconds")};
}

void AddVerification(const json::object& pool, Share& share) {
  const json::object* last = Object(pool, "LastVerification");
  if (last == nullptr) return;
  share.verified_at_s = Number(*last, "EndedAt").value_or(0);
  const std::string outcome = Text(*last, "Outcome");
  const std::string position = Text(*last, "Position");
  const std::string at = position.empty() ? "" : " at position " + position.substr(0, position.find('@'));
  const std::int64_t count = Integer(*last, "DifferenceCount").value_or(0);
  if (outcome == "EQUAL") share.verified = "the copies were equal" + at;
  if (outcome == "DIFFERING") share.verified = fmt::format("the copies DIFFER{}: {} records", at, count);
  if (outcome == "INCOMPLETE") share.verified = "not all copies could be compared";
}

void AddFacts(const json::object& pool, Share& share) {
  const json::array* regions = Array(pool, "UnacknowledgedFacts");
  if (regions == nullptr) return;
  for (const json::value& value : *regions) {
    const json::object* facts = value.if_object();
    const std::int64_t entries = facts == nullptr ? 0 : Integer(*facts, "Entries").value_or(0);
    if (entries > 0) share.unacknowledged_facts[Text(*facts, "Region")] = entries;
  }
}

void AddPool(const json::object& pool, SharesOfPools& pools) {
  Shares& shares = pools[Text(pool, "UserPoolId")];
  Share& own = shares[Text(pool, "Region")];
  own.role = Text(pool, "Role");
  own.epoch = Integer(pool, "Epoch");
  own.sequence = Integer(pool, "Sequence");
  own.problem = Text(pool, "Problem");
  own.forwards_writes = own.role == "SECONDARY" && Flag(pool, "ForwardsWrites");
  AddVerification(pool, own);
  AddFacts(pool, own);
  const bool by_primary = own.role == "PRIMARY";
  if (by_primary) own.durability = DurabilityOf(pool);
  if (by_primary) own.status = "ACTIVE";
  if (by_primary) own.lease = LeaseOf(pool);
  const json::array* members = Array(pool, "Members");
  if (members == nullptr) return;
  for (const json::value& value : *members) {
    const json::object* member = value.if_object();
    if (member == nullptr) continue;
    Share& share = shares[Text(*member, "Region")];
    if (share.role.empty()) share.role = Text(*member, "Role");
    if (share.status.empty()) share.status = Text(*member, "Status");
    if (!share.copy || by_primary) share.copy = CopyOf(*member);
    if (!by_primary || &share == &own) continue;
    share.lag_entries = Integer(*member, "LagEntries");
    share.lag_s = Number(*member, "LagSeconds");
    share.last_contact_s = Number(*member, "LastContact");
    share.connected = Flag(*member, "Connected");
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

std::string Contact(const Share& share, Timestamp now) {
  if (!share.last_contact_s) return "-";
  const double age_s = std::max(0.0, static_cast<double>(ToMicros(now)) / 1e6 - *share.last_contact_s);
  return fmt::format("{}{:.1f} s ago", share.connected ? "" : "lost, ", age_s);
}

std::string Progress(const Copy& copy) {
  constexpr double kMiB = 1024.0 * 1024.0;
  const std::string left = copy.remaining_s ? fmt::format("{:.0f} s left", *copy.remaining_s) : "nothing came yet";
  return fmt::format("copy: {} of {} records, {:.1f} of {:.1f} MiB, {:.1f} MiB/s, {}", copy.records, copy.record_count,
                     static_cast<double>(copy.bytes) / kMiB, static_cast<double>(copy.byte_count) / kMiB,
                     copy.bytes_per_second / kMiB, left);
}

struct Reading {
  SharesOfPools pools;
  // Of nodes that did not answer, or not so that it can be understood.
  std::string silent;
};

Reading Read(const std::vector<ReplicationReport>& reports) {
  Reading reading;
  for (const ReplicationReport& report : reports) {
    if (!report.json) {
      reading.silent += report.json.error().message + "\n";
    } else if (!AddReport(*report.json, reading.pools)) {
      reading.silent += fmt::format("{}{}: the answer is not understood\n", HostHeader(report.from), kPath);
    }
  }
  return reading;
}

// The primary first.
std::vector<std::pair<std::string, Share>> Rows(const Shares& shares) {
  std::vector<std::pair<std::string, Share>> rows(shares.begin(), shares.end());
  std::ranges::sort(rows, {}, [](const auto& row) { return std::pair(row.second.role != "PRIMARY", row.first); });
  return rows;
}

// What the Region that compared last found; empty: none did.
std::string Verified(const Shares& shares, Timestamp now) {
  const Share* last = nullptr;
  for (const auto& [region, share] : shares) {
    if (!share.verified.empty() && (last == nullptr || share.verified_at_s > last->verified_at_s)) last = &share;
  }
  if (last == nullptr) return "";
  const double age_s = std::max(0.0, static_cast<double>(ToMicros(now)) / 1e6 - last->verified_at_s);
  return fmt::format("compared {:.0f} s ago: {}", age_s, last->verified);
}

std::string PoolLine(const std::string& pool, const Shares& shares) {
  const auto primary = std::ranges::find(shares, "PRIMARY", [](const auto& share) { return share.second.role; });
  if (primary == shares.end()) return pool;
  const auto& [region, share] = *primary;
  return fmt::format("{}{}{}{}{}", pool, share.durability.empty() ? "" : "  ", share.durability,
                     share.lease.empty() ? "" : "  ", share.lease);
}

// Rows whose columns are as wide as they need to be, so that they fit a terminal of 80, with lines between them.
class Table {
 public:
  static constexpr std::size_t kColumns = 7;
  static constexpr std::array<std::string_view, kColumns> kBefore{"  ", " ", " ", " ", " ", "  ", "  "};
  using Cells = std::array<std::string, kColumns>;

  explicit Table(Cells heading) { AddRow(std::move(heading)); }
  void AddRow(Cells cells) {
    for (std::size_t i = 0; i < kColumns; ++i) widths_[i] = std::max(widths_[i], cells[i].size());
    lines_.emplace_back(std::move(cells));
  }
  void AddLine(std::size_t indent, const std::string& text) { lines_.emplace_back(std::string(indent, ' ') + text); }

  std::string Text() const {
    std::string text;
    for (const auto& line : lines_) {
      if (const auto* cells = std::get_if<Cells>(&line)) {
        std::string row;
        for (std::size_t i = 0; i < kColumns; ++i) {
          row += fmt::format("{}{:<{}}", kBefore[i], (*cells)[i], widths_[i]);
        }
        text += row.substr(0, row.find_last_not_of(' ') + 1);
      } else {
        text += std::get<std::string>(line);
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::array<std::size_t, kColumns> widths_{};
  std::vector<std::variant<Cells, std::string>> lines_;
};

}  // namespace

CliResult<std::vector<HttpServer>> OperationsOfLab(const std::filesystem::path& dir) {
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(dir));
  std::vector<HttpServer> nodes;
  for (const LabRegion& region : settings.regions) nodes.push_back({region.address, region.operations_port});
  return nodes;
}

bool IsPrimary(const ReplicationReport& report, const std::string& pool) {
  boost::system::error_code error;
  const json::value parsed = report.json ? json::parse(*report.json, error) : json::value();
  const json::array* pools = error || !parsed.is_object() ? nullptr : Array(parsed.get_object(), "Pools");
  if (pools == nullptr) return false;
  return std::ranges::any_of(*pools, [&](const json::value& value) {
    const json::object* known = value.if_object();
    return known != nullptr && Text(*known, "UserPoolId") == pool && Text(*known, "Role") == "PRIMARY";
  });
}

std::string ReplicationTable(const std::vector<ReplicationReport>& reports, Timestamp now) {
  const auto [pools, silent] = Read(reports);
  if (pools.empty()) return silent + "no pools\n";
  Table table({"REGION", "ROLE", "STATUS", "EPOCH", "SEQUENCE", "LAG", "CONTACT"});
  for (const auto& [pool, shares] : pools) {
    table.AddLine(0, PoolLine(pool, shares));
    for (const auto& [region, share] : Rows(shares)) {
      const bool primary = share.role == "PRIMARY";
      table.AddRow({region, share.role, share.status.empty() ? "-" : share.status, OrDash(share.epoch),
                    OrDash(share.sequence), primary ? "" : Lag(share), primary ? "" : Contact(share, now)});
      if (share.forwards_writes) table.AddLine(4, "passes changes on to the primary");
      if (share.copy) table.AddLine(4, Progress(*share.copy));
      for (const auto& [other, entries] : share.unacknowledged_facts) {
        table.AddLine(4, fmt::format("{} has not acknowledged {} {} of facts", other, entries,
                                     entries == 1 ? "entry" : "entries"));
      }
      if (!share.problem.empty()) table.AddLine(4, share.problem);
    }
    if (const std::string verified = Verified(shares, now); !verified.empty()) table.AddLine(2, verified);
  }
  return "POOL\n" + table.Text() + silent;
}

std::string ReplicationLines(const std::vector<ReplicationReport>& reports, Timestamp now) {
  const std::string time = fmt::format("{:%FT%TZ}", std::chrono::floor<std::chrono::seconds>(now));
  const auto [pools, silent] = Read(reports);
  std::string lines;
  for (const auto& [pool, shares] : pools) {
    for (const auto& [region, share] : Rows(shares)) {
      if (share.role == "PRIMARY") continue;
      lines += fmt::format("{} {} {} {} sequence {}, lag {}, contact {}{}{}\n", time, pool, region, share.status,
                           OrDash(share.sequence), Lag(share), Contact(share, now),
                           share.copy ? ", " + Progress(*share.copy) : "",
                           share.problem.empty() ? "" : ": " + share.problem);
    }
  }
  if (pools.empty()) lines += time + " no pools\n";
  return lines + silent;
}

std::vector<ReplicationReport> AskNodes(const std::vector<HttpServer>& nodes) {
  std::vector<ReplicationReport> reports;
  for (const HttpServer& node : nodes) {
    const CliResult<HttpAnswer> answer = HttpGet(node, kPath, kTimeout);
    CliResult<std::string> text = Fail("");
    if (!answer) {
      text = Err(answer.error());
    } else if (answer->status != kHttpOk) {
      text = Fail(fmt::format("{}{}: status {}", HostHeader(node), kPath, answer->status));
    } else {
      text = answer->body;
    }
    reports.push_back({node, std::move(text)});
  }
  return reports;
}

CliResult<std::string> ReplicationStatus(const std::vector<HttpServer>& nodes, Timestamp now) {
  const std::vector<ReplicationReport> reports = AskNodes(nodes);
  const std::string table = ReplicationTable(reports, now);
  if (std::ranges::none_of(reports, [](const ReplicationReport& report) { return report.json.has_value(); })) {
    return Fail("no node answered:\n" + table);
  }
  return table;
}

}  // namespace symbolon::cli
