#include "cli/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <thread>
#include <vector>

#include "cli/api_call.h"
#include "cli/http_client.h"
#include "cli/region_apis.h"
#include "cli/replication_durability.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

// Longer than the server's own waits together.
constexpr std::chrono::seconds kPromotionTimeout(40);
constexpr std::chrono::seconds kReportTimeout(2);
constexpr std::chrono::seconds kTimeout(10);
constexpr int kPoolsInAPage = 60;
constexpr std::chrono::seconds kBeginPatience(20);
constexpr std::chrono::milliseconds kPause(500);
constexpr int kNotPromoted = 1;
constexpr int kOpen = 2;

// The pools that `region` leads, as the Regions of a lab that answer say.
CliResult<LedPools> AskWhatIsLed(const LabSettings& settings, const std::string& region, const std::string& to) {
  std::vector<std::string> reports;
  for (const LabRegion& asked : settings.regions) {
    auto report = HttpGet({asked.address, asked.operations_port}, "/replication", kReportTimeout);
    if (report) reports.push_back(std::move(report->body));
  }
  auto pools = PoolsLedBy(reports, region, to);
  if (!pools) return Fail("no Region answered");
  return *std::move(pools);
}

CliResult<json::object> Call(const ApiAccess& access, std::string_view operation, const json::object& request,
                             std::string_view prefix) {
  SYMBOLON_TRY(const std::string text,
               CallApi(access, operation, json::serialize(request), SystemClock(), kTimeout, prefix));
  boost::system::error_code error;
  json::value answer = json::parse(text, error);
  if (error || !answer.is_object()) return Fail("the answer is not understood");
  return std::move(answer.get_object());
}

// The same, as one Region says by its API.
CliResult<LedPools> AskWhatIsLed(const ApiAccess& access, const std::string& region, const std::string& to) {
  LedPools pools;
  json::object page{{"MaxResults", kPoolsInAPage}};
  while (true) {
    SYMBOLON_TRY(const json::object listed, Call(access, "ListUserPools", page, kCognitoPrefix));
    for (const json::value& pool : listed.at("UserPools").as_array()) {
      const json::value& id = pool.at("Id");
      SYMBOLON_TRY(const json::object replicas,
                   Call(access, "ListUserPoolReplicas", {{"UserPoolId", id}}, kCognitoPrefix));
      bool leads = false, has_replica = false;
      for (const json::value& replica : replicas.at("UserPoolReplicas").as_array()) {
        const std::string_view name = replica.at("RegionName").as_string();
        leads = leads || (name == region && replica.at("Role").as_string() == "PRIMARY");
        has_replica = has_replica || name == to;
      }
      if (leads) pools[std::string(std::string_view(id.as_string()))] = has_replica;
    }
    const json::value* next = listed.if_contains("NextToken");
    if (next == nullptr) return pools;
    page["NextToken"] = *next;
  }
}

CliResult<LedPools> PoolsToMove(const PromotionFlags& flags, const std::vector<ApiAccess>& accesses) {
  if (!flags.endpoint.empty()) return AskWhatIsLed(accesses.front(), flags.all_of, flags.to);
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
  return AskWhatIsLed(settings, flags.all_of, flags.to);
}

// Whom to ask, one after the other as long as nobody answers. A Region takes over by force at its own word.
CliResult<std::vector<ApiAccess>> AccessesTo(const PromotionFlags& flags) {
  std::vector<ApiAccess> accesses;
  if (!flags.endpoint.empty()) {
    SYMBOLON_TRY(ApiAccess access, AccessFromEnvironment(flags.endpoint));
    accesses.push_back(std::move(access));
    return accesses;
  }
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
  SYMBOLON_TRY(ApiAccess first, RegionOfLab(settings, flags.to));
  accesses.push_back(std::move(first));
  if (flags.force) return accesses;
  SYMBOLON_TRY(std::vector<ApiAccess> all, FindRegionApis(flags.dir, {}));
  for (ApiAccess& access : all) {
    if (access.region != flags.to) accesses.push_back(std::move(access));
  }
  return accesses;
}

CliResult<std::vector<ApiAccess>> ApisOf(const SuffixFlags& flags) {
  std::vector<ApiAccess> apis;
  if (!flags.endpoint.empty()) {
    SYMBOLON_TRY(ApiAccess api, AccessFromEnvironment(flags.endpoint));
    apis.push_back(std::move(api));
    return apis;
  }
  if (flags.region.empty()) return FindRegionApis(flags.dir, {});
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
  SYMBOLON_TRY(ApiAccess api, RegionOfLab(settings, flags.region));
  apis.push_back(std::move(api));
  return apis;
}

CliResult<json::array> SuffixesIn(const ApiAccess& api, const std::string& pool) {
  SYMBOLON_TRY(const std::string text,
               CallApi(api, "ListReplicationSuffixes", json::serialize(json::object{{"UserPoolId", pool}}),
                       SystemClock(), kReportTimeout));
  boost::system::error_code error;
  json::value answer = json::parse(text, error);
  json::value* suffixes = error || !answer.is_object() ? nullptr : answer.get_object().if_contains("Suffixes");
  if (suffixes == nullptr || !suffixes->is_array()) return Fail("the answer is not understood");
  return std::move(suffixes->get_array());
}

// The index of the Region that keeps the suffix of this name.
CliResult<std::size_t> FindKeeper(const std::vector<ApiAccess>& apis, const SuffixFlags& flags) {
  if (apis.size() == 1) return 0;
  for (std::size_t i = 0; i < apis.size(); ++i) {
    const auto suffixes = SuffixesIn(apis[i], flags.pool);
    const bool kept = suffixes && std::ranges::any_of(*suffixes, [&](const json::value& suffix) {
                        return suffix.is_object() && suffix.get_object().contains("Name") &&
                               suffix.at("Name") == json::value(flags.name);
                      });
    if (kept) return i;
  }
  return Fail(fmt::format("no Region that answers keeps a suffix {} of the pool", flags.name));
}

CliResult<void> ShowChanges(const ApiAccess& api, const SuffixFlags& flags) {
  std::int64_t first = 0;
  while (true) {
    const json::object request{
        {"UserPoolId", flags.pool}, {"Name", flags.name}, {"First", first}, {"IncludeValues", flags.values}};
    SYMBOLON_TRY(const std::string answer,
                 CallApi(api, "DescribeReplicationSuffix", json::serialize(request), SystemClock(), kPromotionTimeout));
    boost::system::error_code error;
    const json::value page = json::parse(answer, error);
    if (error || !page.is_object()) return Fail("the answer is not understood");
    for (const json::value& change : page.at("Changes").as_array()) fmt::print("{}\n", json::serialize(change));
    const json::value* next = page.as_object().if_contains("Next");
    if (next == nullptr) return {};
    first = next->as_int64();
  }
}

ApiAnswer Ask(const std::vector<ApiAccess>& accesses, const std::string& request) {
  ApiAnswer answer;
  std::string silent;
  for (const ApiAccess& access : accesses) {
    answer = ApiConnection(access, SystemClock())
                 .Call(std::string(kOwnPrefix) + "PromoteUserPoolReplica", request, kPromotionTimeout);
    // Whoever has no replica has nothing to say.
    const bool knows = accesses.size() == 1 || answer.error != "ResourceNotFoundException";
    if (answer.status != 0 && knows) return answer;
    if (answer.status == 0)
      silent += fmt::format("{}{} does not answer ({})", silent.empty() ? "" : "; ", access.region, answer.message);
  }
  return silent.empty() ? answer : ApiAnswer{.message = silent};
}

// What is handed over is waited for: a node that has died may be back in a moment.
CliResult<void> PromoteOne(const std::vector<ApiAccess>& accesses, const PromotionFlags& flags,
                           const std::string& pool) {
  json::object fields{{"UserPoolId", pool}, {"RegionName", flags.to}};
  if (flags.force) fields["Force"] = true;
  if (flags.accept_loss) fields["AcceptLoss"] = true;
  const std::string request = json::serialize(fields);
  const auto until = std::chrono::steady_clock::now() + kBeginPatience;
  ApiAnswer answer = Ask(accesses, request);
  if (answer.error == kPromotionPending) {
    fmt::print(stderr, "symbolon: {}: handed over to {}, which has not begun yet; waiting\n", pool, flags.to);
  }
  while (answer.error == kPromotionPending && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPause);
    answer = Ask(accesses, request);
  }
  if (!answer.ok()) return Err(DescribeNotPromoted(flags, pool, answer));
  fmt::print("{}", DescribePromotion(answer.body));
  if (flags.force) {
    const auto replication = CallApi(accesses.front(), "DescribeReplication",
                                     json::serialize(json::object{{"UserPoolId", pool}}), SystemClock(), kTimeout);
    if (replication) fmt::print("{}", DescribeHeldWrites(answer.body, *replication));
  }
  return {};
}

}  // namespace

std::string DescribePromotion(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return "the answer is not understood\n";
  const json::object& answer = parsed.as_object();
  const std::int64_t first = answer.at("FirstSequence").as_int64();
  std::string said = fmt::format(
      "{}: {} is primary, in epoch {} from position {} on\n", std::string_view(answer.at("UserPoolId").as_string()),
      std::string_view(answer.at("Primary").as_string()), answer.at("Epoch").as_int64(), first);
  for (const json::value& silent : answer.at("SilentRegions").as_array()) {
    const json::object& region = silent.as_object();
    const json::value* heard = region.if_contains("LastHeardSequence");
    said += fmt::format("  {} did not answer ({}): what it has from position {} on will be set aside\n",
                        std::string_view(region.at("Region").as_string()),
                        heard != nullptr ? fmt::format("last heard at position {}", heard->as_int64())
                                         : "nothing was heard of it since this node started",
                        first);
  }
  return said;
}

std::string DescribeHeldWrites(std::string_view promoted, std::string_view replication) {
  boost::system::error_code error;
  const json::value answer = json::parse(promoted, error);
  const json::value now = error ? json::value() : json::parse(replication, error);
  if (error || !answer.is_object() || !now.is_object() || !now.as_object().contains("Durability")) return "";
  const json::object& durability = now.at("Durability").as_object();
  const bool bounded = durability.at("Mode") == "BOUNDED";
  const bool refuses = durability.at("Mode") == "SYNC" && durability.at("Fallback") == "REFUSE";
  if (!bounded && !refuses) return "";
  const json::array& silent = answer.at("SilentRegions").as_array();
  const bool has_replica = std::ranges::any_of(now.at("Members").as_array(), [&](const json::value& member) {
    const json::value& status = member.at("Status");
    const bool counts = status == "ACTIVE" || (status == "INACTIVE" && !bounded);
    return counts && std::ranges::none_of(
                         silent, [&](const json::value& region) { return region.at("Region") == member.at("Region"); });
  });
  if (has_replica) return "";
  const std::string_view pool = answer.at("UserPoolId").as_string();
  return fmt::format(
      "  no write goes on: its durability is {}, and no replica is left that could confirm one. Until one is back, or "
      "a "
      "new one is there:\n"
      "    symbolon replication durability {} async\n"
      "  lets this Region answer writes alone; what it answers so is lost with it\n",
      bounded ? fmt::format("bounded ({} s, then writes are refused)", durability.at("LagBoundSeconds").as_int64())
              : "sync (refuse)",
      pool);
}

Failure DescribeNotPromoted(const PromotionFlags& flags, const std::string& pool, const ApiAnswer& answer) {
  Failure failure{.message = fmt::format("{}: {}", pool, answer.Complaint()),
                  .exit_status = answer.IsOpen() ? kOpen : kNotPromoted};
  if (answer.error == kPromotionPending) {
    failure.message += fmt::format(
        "\nRepeat the command to see. To give the Region up: symbolon replication promote {} --to ANOTHER-REGION "
        "--force (docs/promotion.md).",
        pool);
  } else if (answer.IsOpen()) {
    failure.message += fmt::format(
        "\nWhether {} leads the pool now is not known. Repeating the command is safe, and tells; symbolon replication "
        "status shows what the Regions say.",
        flags.to);
  } else if (answer.error == "OperationNotEnabledException" && !flags.force) {
    failure.message += "\nIf its primary is lost, --force does without it (docs/promotion.md).";
  }
  return failure;
}

CliResult<void> ShowSuffixes(const SuffixFlags& flags) {
  SYMBOLON_TRY(const std::vector<ApiAccess> apis, ApisOf(flags));
  if (!flags.name.empty()) {
    SYMBOLON_TRY(const std::size_t keeper, FindKeeper(apis, flags));
    return ShowChanges(apis[keeper], flags);
  }
  json::array suffixes;
  std::string problems;
  std::size_t failed = 0;
  for (const ApiAccess& api : apis) {
    const auto kept = SuffixesIn(api, flags.pool);
    if (kept) {
      suffixes.insert(suffixes.end(), kept->begin(), kept->end());
    } else {
      ++failed;
      problems += (problems.empty() ? "" : "\n") + kept.error().message;
    }
  }
  if (failed == apis.size()) return Fail(problems);
  if (failed > 0) fmt::print(stderr, "symbolon: {}\n", problems);
  fmt::print("{}\n", json::serialize(json::object{{"Suffixes", std::move(suffixes)}}));
  return {};
}

std::optional<LedPools> PoolsLedBy(const std::vector<std::string>& reports, std::string_view region,
                                   std::string_view to) {
  struct Said {
    std::int64_t epoch = -1;
    bool leads = false;
    bool has_replica = false;
  };
  std::map<std::string, Said> known;
  bool answered = false;
  for (const std::string& report : reports) {
    boost::system::error_code error;
    const json::value parsed = json::parse(report, error);
    if (error || !parsed.is_object() || !parsed.as_object().contains("Pools")) continue;
    answered = true;
    for (const json::value& pool : parsed.at("Pools").as_array()) {
      const std::string_view here = pool.at("Region").as_string();
      const std::int64_t epoch = pool.at("Epoch").to_number<std::int64_t>();
      Said& said = known[std::string(std::string_view(pool.at("UserPoolId").as_string()))];
      // A Region that is cut off does not know of a later epoch.
      if (epoch < said.epoch) continue;
      if (epoch > said.epoch) said = {.epoch = epoch};
      said.leads = said.leads || (here == region && pool.at("Role").as_string() == "PRIMARY");
      said.has_replica = said.has_replica || here == to;
      for (const json::value& member : pool.at("Members").as_array()) {
        const std::string_view name = member.at("Region").as_string();
        said.leads = said.leads || (name == region && member.at("Role").as_string() == "PRIMARY");
        said.has_replica = said.has_replica || name == to;
      }
    }
  }
  if (!answered) return std::nullopt;
  LedPools led;
  for (const auto& [pool, said] : known) {
    if (said.leads) led[pool] = said.has_replica;
  }
  return led;
}

CliResult<void> Promote(const PromotionFlags& flags) {
  SYMBOLON_TRY(const std::vector<ApiAccess> accesses, AccessesTo(flags));
  if (flags.all_of.empty()) return PromoteOne(accesses, flags, flags.pool);
  SYMBOLON_TRY(const LedPools pools, PoolsToMove(flags, accesses));
  if (pools.empty()) fmt::print("{} is primary of no pool\n", flags.all_of);
  std::size_t failed = 0;
  int exit_status = kNotPromoted;
  for (const auto& [pool, has_replica] : pools) {
    if (!has_replica) {
      fmt::print("{}: has no replica in {}, and stays as it is\n", pool, flags.to);
      continue;
    }
    // One that cannot be promoted keeps no other from it.
    const auto promoted = PromoteOne(accesses, flags, pool);
    if (promoted) continue;
    ++failed;
    exit_status = std::max(exit_status, promoted.error().exit_status);
    fmt::print(stderr, "symbolon: {}\n", promoted.error().message);
  }
  if (failed > 0) {
    return Err(Failure{fmt::format("{} of {} pools were not promoted{}", failed, pools.size(),
                                   exit_status == kOpen ? ", or may still be" : ""),
                       exit_status});
  }
  return {};
}

}  // namespace symbolon::cli
