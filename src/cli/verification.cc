#include "cli/verification.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <thread>
#include <vector>

#include "cli/api_call.h"
#include "cli/replication_durability.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kTimeout(10);
constexpr std::chrono::milliseconds kPollInterval(200);
constexpr int kNotCompared = 2;
// So much of a digest tells versions apart.
constexpr std::size_t kDigestShown = 12;

std::string TextOf(const json::value& value) { return std::string(std::string_view(value.as_string())); }
std::string TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value == nullptr ? "" : TextOf(*value);
}
bool IsSet(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->as_bool();
}

std::string Joined(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) text += (i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::vector<std::string> ComparedRegions(const json::object& verification) {
  std::vector<std::string> names;
  for (const json::value& region : verification.at("Regions").as_array()) {
    if (IsSet(region.as_object(), "Compared")) names.push_back(TextOf(region.as_object(), "Region"));
  }
  return names;
}

// "42@1.eu-central-1..." begins with the sequence.
std::string SequenceOf(const json::object& verification) {
  const std::string position = TextOf(verification, "Position");
  return position.substr(0, position.find('@'));
}

std::string Difference(const json::object& difference) {
  std::string versions;
  for (const json::value& value : difference.at("Versions").as_array()) {
    const json::object& version = value.as_object();
    std::vector<std::string> regions;
    for (const json::value& region : version.at("Regions").as_array()) regions.push_back(TextOf(region));
    const std::string verb = regions.size() == 1 ? "has" : "have";
    const std::string what =
        IsSet(version, "Missing") ? "none" : TextOf(version, "Digest").substr(0, kDigestShown) + "...";
    versions += fmt::format("{}{} {} {}", versions.empty() ? "" : "; ", Joined(regions), verb, what);
  }
  const std::string key = TextOf(difference, "Key");
  return fmt::format("  {}{}{}: {}\n", TextOf(difference, "RecordType"), key.empty() ? "" : " ", key, versions);
}

std::string Problems(const json::object& verification) {
  std::string text;
  for (const json::value& value : verification.at("Regions").as_array()) {
    const json::object& region = value.as_object();
    const std::string problem = TextOf(region, "Problem");
    if (problem.empty()) continue;
    text += fmt::format("  {}{}: {}\n", TextOf(region, "Region"), IsSet(region, "Compared") ? "" : " was not compared",
                        problem);
  }
  return text;
}

// What is known of those that were compared, whatever the others do.
std::string Result(const json::object& verification) {
  const std::string pool = TextOf(verification, "UserPoolId");
  const std::vector<std::string> compared = ComparedRegions(verification);
  const std::string outcome = TextOf(verification, "Outcome");
  const double seconds =
      verification.at("EndedAt").to_number<double>() - verification.at("StartedAt").to_number<double>();
  if (outcome == "DIFFERING") {
    const std::int64_t count = verification.at("DifferenceCount").to_number<std::int64_t>();
    const json::array& named = verification.at("Differences").as_array();
    std::string text = fmt::format("{}: {} DIFFER in {}{} {} at position {}\n", pool, Joined(compared),
                                   IsSet(verification, "DifferencesComplete") ? "" : "at least ", count,
                                   count == 1 ? "record" : "records", SequenceOf(verification));
    for (const json::value& difference : named) text += Difference(difference.as_object());
    if (count > static_cast<std::int64_t>(named.size())) {
      text += fmt::format("  and {} more\n", count - static_cast<std::int64_t>(named.size()));
    }
    return text + Problems(verification);
  }
  if (compared.size() < 2) return fmt::format("{}: could not be compared\n", pool) + Problems(verification);
  const std::int64_t records = verification.at("Regions").as_array().front().at("Records").to_number<std::int64_t>();
  return fmt::format("{}: {} are equal at position {}: {} records, {:.1f} s\n", pool, Joined(compared),
                     SequenceOf(verification), records, seconds) +
         Problems(verification);
}

std::string Progress(const json::object& verification) {
  std::string text = TextOf(verification, "Status");
  std::ranges::transform(text, text.begin(), [](char c) {
    if (c == '_') return ' ';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  if (TextOf(verification, "Status") != "READING") return text;
  for (const json::value& value : verification.at("Regions").as_array()) {
    const json::object& region = value.as_object();
    if (!TextOf(region, "Problem").empty()) continue;
    const double records = region.at("Records").to_number<double>();
    const double expected = std::max(region.at("RecordsExpected").to_number<double>(), records);
    text += fmt::format("  {} {:.0f} %", TextOf(region, "Region"), expected > 0 ? 100 * records / expected : 100);
  }
  return text;
}

VerificationView View(const json::object& verification) {
  VerificationView view{.json = json::serialize(verification)};
  view.done = TextOf(verification, "Status") == "DONE";
  view.text = view.done ? Result(verification) : Progress(verification);
  const std::string outcome = TextOf(verification, "Outcome");
  if (view.done && outcome == "EQUAL") view.exit_status = 0;
  if (view.done && outcome == "DIFFERING") view.exit_status = 1;
  return view;
}

CliResult<ApiAccess> AccessTo(const VerifyFlags& flags) {
  if (!flags.endpoint.empty()) return AccessFromEnvironment(flags.endpoint);
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
  if (flags.region.empty()) {
    if (auto primary = PrimaryOfLab(settings, flags.pool)) return primary;
  }
  return RegionOfLab(settings, flags.region);
}

CliResult<VerificationView> Run(const VerifyFlags& flags, const ApiAccess& access, Clock& clock) {
  json::object request{{"UserPoolId", flags.pool}};
  if (flags.records_per_second) request["RecordsPerSecond"] = *flags.records_per_second;
  SYMBOLON_TRY(const std::string started,
               CallApi(access, "StartReplicationVerification", json::serialize(request), clock, kTimeout));
  boost::system::error_code error;
  const json::value answer = json::parse(started, error);
  const json::value* id = error || !answer.is_object() ? nullptr : answer.get_object().if_contains("VerificationId");
  if (id == nullptr || !id->is_string()) return Fail("the answer is not understood");
  const std::string question =
      json::serialize(json::object{{"UserPoolId", flags.pool}, {"VerificationId", id->get_string()}});
  const bool on_terminal = isatty(STDERR_FILENO) == 1;
  while (true) {
    SYMBOLON_TRY(const std::string text, CallApi(access, "DescribeReplicationVerification", question, clock, kTimeout));
    SYMBOLON_TRY(VerificationView view, ViewVerification(text));
    if (on_terminal) fmt::print(stderr, "\r\x1b[K{}", view.done ? "" : view.text);
    if (view.done) return view;
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace

CliResult<VerificationView> ViewVerification(std::string_view text) {
  boost::system::error_code error;
  const json::value answer = json::parse(text, error);
  try {
    if (!error) return View(answer.at("Verification").as_object());
  } catch (const std::exception&) {  // a member is missing, or of another kind
  }
  return Fail("the answer is not understood");
}

CliResult<void> VerifyReplicas(const VerifyFlags& flags, Clock& clock) {
  const auto not_compared = [](Failure failure) {
    failure.exit_status = kNotCompared;
    return Err(std::move(failure));
  };
  const auto access = AccessTo(flags);
  if (!access) return not_compared(access.error());
  const auto view = Run(flags, *access, clock);
  if (!view) return not_compared(view.error());
  fmt::print("{}", flags.json ? view->json + "\n" : view->text);
  if (view->exit_status == 0) return {};
  return Err(Failure{.message = "", .exit_status = view->exit_status});
}

}  // namespace symbolon::cli
