#include "cli/erasure.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <thread>

#include "cli/files.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kWaitLimit(60);
constexpr std::chrono::milliseconds kPollInterval(250);
constexpr int kNotFinal = 3;

std::string TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : "";
}

std::string TimeOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || !value->is_number()) return "";
  const std::chrono::sys_seconds time{std::chrono::seconds(static_cast<std::int64_t>(value->to_number<double>()))};
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time);
}

CliResult<json::object> Parse(std::string_view text) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return Fail("the answer is not understood");
  return std::move(parsed.get_object());
}

bool HasRemovedRegion(const json::object& erasure) {
  const json::value* regions = erasure.if_contains("Regions");
  if (regions == nullptr || !regions->is_array()) return false;
  return std::ranges::any_of(regions->get_array(), [](const json::value& region) {
    return region.is_object() && TextOf(region.get_object(), "State") == "REMOVED";
  });
}

std::string LineOf(const json::object& erasure) {
  const bool final = TextOf(erasure, "Status") == "FINAL";
  const std::string_view state = !final ? "pending" : HasRemovedRegion(erasure) ? "ended without a Region" : "erased";
  std::string line = fmt::format("{}  user {}  {}  asked for at {}", TextOf(erasure, "ErasureId"),
                                 TextOf(erasure, "Sub"), state, TimeOf(erasure, "AskedAt"));
  if (final) line += fmt::format(", ended at {}", TimeOf(erasure, "EndedAt"));
  return line + "\n";
}

CliResult<std::string> RegionLines(const json::object& erasure) {
  const json::value* regions = erasure.if_contains("Regions");
  if (regions == nullptr || !regions->is_array()) return Fail("the answer is not understood");
  std::string lines;
  for (const json::value& value : regions->get_array()) {
    if (!value.is_object()) return Fail("the answer is not understood");
    const json::object& region = value.get_object();
    const std::string state = TextOf(region, "State");
    const bool erased = state == "ERASED";
    std::string more = TextOf(region, "Reason");
    if (erased) more = "at " + TimeOf(region, "ErasedAt") + (more.empty() ? "" : "; ") + more;
    std::string line = fmt::format("  {:<20} {:<8} {}", TextOf(region, "Region"),
                                   erased               ? "erased"
                                   : state == "REMOVED" ? "NOT CONFIRMED"
                                                        : "pending",
                                   more);
    line.erase(line.find_last_not_of(' ') + 1);
    lines += line + "\n";
  }
  return lines;
}

CliResult<void> WriteCertificate(const ErasureView& view, const ErasureFlags& flags) {
  if (view.certificate.empty()) return {};
  if (!flags.out.empty()) return WriteFile(flags.out, view.certificate);
  fmt::print("{}", view.certificate);
  return {};
}

CliResult<std::string> Describe(const KeysFlags& keys, const std::string& id, Clock& clock) {
  const json::object request{{"UserPoolId", keys.pool}, {"ErasureId", id}};
  return CallAnyRegion(keys, "DescribeErasure", json::serialize(request), clock);
}

CliResult<void> ListThem(const KeysFlags& keys, Clock& clock) {
  json::object request{{"UserPoolId", keys.pool}};
  while (true) {
    SYMBOLON_TRY(const std::string answer, CallAnyRegion(keys, "ListErasures", json::serialize(request), clock));
    SYMBOLON_TRY(const ErasureList list, ViewErasures(answer));
    fmt::print("{}", list.text);
    if (list.after.empty()) return {};
    request["After"] = list.after;
  }
}

}  // namespace

CliResult<ErasureView> ViewErasure(std::string_view text) {
  SYMBOLON_TRY(const json::object answer, Parse(text));
  const json::value* member = answer.if_contains("Erasure");
  if (member == nullptr || !member->is_object()) return Fail("the answer is not understood");
  const json::object& erasure = member->get_object();
  SYMBOLON_TRY(const std::string regions, RegionLines(erasure));
  return ErasureView{.id = TextOf(erasure, "ErasureId"),
                     .final = TextOf(erasure, "Status") == "FINAL",
                     .text = LineOf(erasure) + regions,
                     .certificate = TextOf(erasure, "Certificate")};
}

CliResult<ErasureList> ViewErasures(std::string_view text) {
  SYMBOLON_TRY(const json::object answer, Parse(text));
  const json::value* erasures = answer.if_contains("Erasures");
  if (erasures == nullptr || !erasures->is_array()) return Fail("the answer is not understood");
  ErasureList list;
  for (const json::value& value : erasures->get_array()) {
    if (!value.is_object()) return Fail("the answer is not understood");
    list.text += LineOf(value.get_object());
  }
  list.after = TextOf(answer, "After");
  return list;
}

CliResult<void> EraseUser(const KeysFlags& keys, const ErasureFlags& flags, Clock& clock) {
  const json::object request{
      {"UserPoolId", keys.pool}, {"Username", flags.username}, {"AlreadyDeleted", flags.already_deleted}};
  SYMBOLON_TRY(const std::string begun, CallAnyRegion(keys, "EraseUser", json::serialize(request), clock));
  SYMBOLON_TRY(ErasureView view, ViewErasure(begun));
  const bool on_terminal = isatty(STDERR_FILENO) == 1;
  std::string shown;
  const auto until = clock.SinceBoot() + kWaitLimit;
  while (!keys.detach && !view.final && clock.SinceBoot() < until) {
    if (on_terminal && view.text != shown) fmt::print(stderr, "{}", view.text);
    shown = view.text;
    std::this_thread::sleep_for(kPollInterval);
    SYMBOLON_TRY(const std::string answer, Describe(keys, view.id, clock));
    SYMBOLON_TRY(view, ViewErasure(answer));
  }
  fmt::print(stderr, "{}", view.text);
  SYMBOLON_TRY_VOID(WriteCertificate(view, flags));
  if (view.final || keys.detach) return {};
  return Err(
      Failure{fmt::format("not every Region has erased the user yet: it goes on by itself; `symbolon users erasure "
                          "{} {}` tells",
                          keys.pool, view.id),
              kNotFinal});
}

CliResult<void> ShowErasure(const KeysFlags& keys, const ErasureFlags& flags, Clock& clock) {
  if (flags.id.empty()) return ListThem(keys, clock);
  SYMBOLON_TRY(const std::string answer, Describe(keys, flags.id, clock));
  SYMBOLON_TRY(const ErasureView view, ViewErasure(answer));
  fmt::print(stderr, "{}", view.text);
  return WriteCertificate(view, flags);
}

}  // namespace symbolon::cli
