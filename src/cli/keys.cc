#include "cli/keys.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <thread>

#include "cli/api_call.h"
#include "cli/region_apis.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

// Longer than the server's own waits.
constexpr std::chrono::seconds kTimeout(30);
constexpr std::chrono::milliseconds kPollInterval(250);
constexpr int kBarWidth = 30;
constexpr std::size_t kGenerationShown = 8;

CliResult<json::object> Parse(std::string_view text) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return Fail("the answer is not understood");
  return std::move(parsed.get_object());
}

std::string TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : "";
}
double NumberOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return text;
}

std::string Duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3'600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3'600, whole % 3'600 / 60);
}

std::string Request(const KeysFlags& flags, json::object members = {}) {
  members["UserPoolId"] = flags.pool;
  return json::serialize(members);
}

std::vector<std::string> FormerKeysOf(const json::object& key) {
  std::vector<std::string> arns;
  const json::value* former = key.if_contains("FormerKmsKeyArns");
  for (const json::value& arn : former != nullptr && former->is_array() ? former->get_array() : json::array()) {
    if (arn.is_string()) arns.emplace_back(std::string_view(arn.get_string()));
  }
  return arns;
}

std::string Bar(double part) {
  const int filled = static_cast<int>(std::clamp(part, 0.0, 1.0) * kBarWidth);
  return fmt::format("[{}{}] {:3.0f} %", std::string(static_cast<std::size_t>(filled), '#'),
                     std::string(static_cast<std::size_t>(kBarWidth - filled), '.'), 100 * part);
}

// `pools_arn`: what needs not be said again.
std::string RegionLine(const json::object& region, const std::string& pools_arn) {
  std::string line = fmt::format("  {:<20} {:<8}", TextOf(region, "Region"), Lower(TextOf(region, "State")));
  if (const std::string reason = TextOf(region, "Reason"); !reason.empty()) line += " " + reason;
  const std::string arn = TextOf(region, "KmsKeyArn");
  if (!arn.empty() && arn != KmsKeyArnIn(pools_arn, TextOf(region, "Region"))) line += " under " + arn;
  return line + "\n";
}

}  // namespace

CliResult<std::string> CallAnyRegion(const KeysFlags& flags, std::string_view operation, const std::string& request,
                                     Clock& clock, std::string_view prefix) {
  SYMBOLON_TRY(const std::vector<ApiAccess> apis, FindRegionApis(flags.dir, flags.endpoints));
  Failure last;
  for (const ApiAccess& api : apis) {
    auto answer = CallApi(api, operation, request, clock, kTimeout, prefix);
    if (answer) return answer;
    const bool elsewhere = answer.error().message.starts_with("OperationNotEnabledException") ||
                           answer.error().message.starts_with("ResourceNotFoundException") ||
                           answer.error().message.contains("does not answer");
    // What the primary says counts; a Region that is none comes first or last.
    if (!elsewhere || last.message.empty()) last = answer.error();
    if (!elsewhere) break;
  }
  return Err(last);
}

std::string KmsKeyArnIn(const std::string& arn, const std::string& region) {
  std::string result = arn;
  const std::size_t begin = std::string_view("arn:aws:kms:").size();
  const std::size_t end = arn.find(':', begin);
  if (!arn.starts_with("arn:aws:kms:") || end == std::string::npos) return arn;
  return result.replace(begin, end - begin, region);
}

CliResult<std::string> DescribeKeyStatus(std::string_view text) {
  SYMBOLON_TRY(const json::object key, Parse(text));
  const json::value* regions = key.if_contains("Regions");
  const json::value* data_keys = key.if_contains("DataKeys");
  if (regions == nullptr || !regions->is_array() || data_keys == nullptr || !data_keys->is_array()) {
    return Fail("the answer is not understood");
  }
  std::string shown = fmt::format("{}  {}\n", TextOf(key, "UserPoolId"), TextOf(key, "KmsKeyArn"));
  if (const std::string offered = TextOf(key, "OfferedKmsKeyArn"); !offered.empty()) {
    shown += fmt::format("  is to change to {}\n", offered);
  }
  for (const std::string& former : FormerKeysOf(key)) shown += fmt::format("  was under {}\n", former);
  for (const json::value& region : regions->get_array()) {
    if (region.is_object()) shown += RegionLine(region.get_object(), TextOf(key, "KmsKeyArn"));
  }
  for (const json::value& value : data_keys->get_array()) {
    if (!value.is_object()) continue;
    const json::object& data_key = value.get_object();
    const json::value* sealing = data_key.if_contains("Sealing");
    const bool seals = sealing != nullptr && sealing->is_bool() && sealing->get_bool();
    shown += fmt::format("  data key {}  {}\n", TextOf(data_key, "Generation").substr(0, kGenerationShown),
                         seals ? "seals new data" : "opens older data");
  }
  return shown;
}

CliResult<ReencryptionView> ViewReencryption(std::string_view text) {
  SYMBOLON_TRY(const json::object answer, Parse(text));
  const json::value* member = answer.if_contains("Reencryption");
  if (member == nullptr || !member->is_object()) return Fail("the answer is not understood");
  const json::object& work = member->get_object();
  const std::string status = TextOf(work, "Status");
  const double done = NumberOf(work, "RecordsDone"), total = std::max(NumberOf(work, "RecordsTotal"), done);
  const double resealed = NumberOf(work, "RecordsReencrypted");
  if (status == "DONE") {
    const double seconds = NumberOf(work, "EndedAt") - NumberOf(work, "StartedAt");
    std::string said = fmt::format("{}: {:.0f} records re-encrypted in {}", TextOf(work, "UserPoolId"), resealed,
                                   Duration(std::max(0.0, seconds)));
    if (const double kept = NumberOf(work, "DataKeysKept"); kept > 0) {
      said += fmt::format("; {:.0f} former data keys are kept for suffixes that were set aside", kept);
    }
    return ReencryptionView{.done = true, .text = said};
  }
  std::string line = Bar(total > 0 ? done / total : 0);
  line += fmt::format("  {:.0f} of {:.0f} records", done, total);
  if (status == "FINISHING") {
    line += "  every Region looks for what is left";
  } else {
    line += fmt::format("  {:.0f}/s", NumberOf(work, "RecordsPerSecond"));
    if (work.contains("RemainingSeconds"))
      line += fmt::format("  {} left", Duration(NumberOf(work, "RemainingSeconds")));
  }
  if (const std::string problem = TextOf(work, "Problem"); !problem.empty()) line += "  (" + problem + ")";
  return ReencryptionView{.done = false, .text = std::move(line)};
}

CliResult<void> ShowKeyStatus(const KeysFlags& flags, Clock& clock) {
  SYMBOLON_TRY(const std::string answer, CallAnyRegion(flags, "DescribeUserPoolKey", Request(flags), clock));
  if (flags.json) {
    fmt::print("{}\n", answer);
    return {};
  }
  SYMBOLON_TRY(const std::string shown, DescribeKeyStatus(answer));
  fmt::print("{}", shown);
  return {};
}

CliResult<void> RotateKey(const KeysFlags& flags, Clock& clock) {
  SYMBOLON_TRY(const std::string answer, CallAnyRegion(flags, "RotateUserPoolKey", Request(flags), clock));
  SYMBOLON_TRY(const json::object rotated, Parse(answer));
  fmt::print("{}: a new data key seals; there are {:.0f}\n", flags.pool, NumberOf(rotated, "DataKeys"));
  return {};
}

CliResult<void> Reencrypt(const KeysFlags& flags, Clock& clock) {
  json::object members;
  if (flags.records_per_second) members["RecordsPerSecond"] = *flags.records_per_second;
  SYMBOLON_TRY(std::string answer,
               CallAnyRegion(flags, "ReencryptUserPool", Request(flags, std::move(members)), clock));
  const bool on_terminal = isatty(STDERR_FILENO) == 1;
  while (true) {
    SYMBOLON_TRY(const ReencryptionView view, ViewReencryption(answer));
    if (on_terminal) fmt::print(stderr, "\r\x1b[K{}", view.done || flags.detach ? "" : view.text);
    if (view.done || flags.detach) {
      fmt::print("{}\n", flags.json ? answer : view.text);
      return {};
    }
    std::this_thread::sleep_for(kPollInterval);
    SYMBOLON_TRY(answer, CallAnyRegion(flags, "DescribeReencryption", Request(flags), clock));
  }
}

CliResult<void> SetRegionKey(const KeysFlags& flags, Clock& clock) {
  SYMBOLON_TRY(const std::string listed,
               CallAnyRegion(flags, "ListUserPoolReplicas", Request(flags), clock, kCognitoPrefix));
  SYMBOLON_TRY(const json::object replicas, Parse(listed));
  const json::value* list = replicas.if_contains("UserPoolReplicas");
  std::string status;
  for (const json::value& each : list != nullptr && list->is_array() ? list->get_array() : json::array()) {
    if (!each.is_object() || TextOf(each.get_object(), "RegionName") != flags.region) continue;
    status = TextOf(each.get_object(), "Status");
    if (TextOf(each.get_object(), "Role") == "PRIMARY") {
      return Fail("that Region is the pool's primary: its key is changed by UpdateUserPool");
    }
  }
  json::object members{{"RegionName", flags.region},
                       {"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", flags.kms_key_arn}}}};
  std::string_view operation = "CreateUserPoolReplica";
  if (!status.empty()) {
    if (status != "ACTIVE" && status != "INACTIVE") return Fail("the replica is " + status);
    operation = "UpdateUserPoolReplica";
    members["Status"] = status;
  }
  SYMBOLON_TRY_VOID(CallAnyRegion(flags, operation, Request(flags, std::move(members)), clock, kCognitoPrefix));
  fmt::print("{}: {} opens the pool with {}{}\n", flags.pool, flags.region, flags.kms_key_arn,
             status.empty() ? "; the replica is being made" : "");
  return {};
}

}  // namespace symbolon::cli
