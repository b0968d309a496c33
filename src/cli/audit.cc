#include "cli/audit.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>
#include <iterator>
#include <optional>

#include "audit/event.h"
#include "cli/configurations.h"
#include "cli/files.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;
using std::filesystem::path;

constexpr int kUnreadable = 2;

tl::unexpected<Failure> CannotRead(const audit::AuditError& error) { return Err(Failure{error.detail, kUnreadable}); }

// Where a trail lies, and the newest checkpoint outside of it; empty: it is not known.
struct Place {
  path folder;
  path outside_file;
};

CliResult<Place> PlaceOfConfiguration(const path& file) {
  SYMBOLON_TRY(const std::string text, ReadFile(file));
  const path folder = std::filesystem::absolute(file).parent_path();
  SYMBOLON_TRY(path trail, AuditFolderOf(text, folder));
  SYMBOLON_TRY(path outside, OutsideCheckpointOf(text, folder));
  return Place{std::move(trail), std::move(outside)};
}

CliResult<std::vector<Place>> PlacesOf(const AuditFlags& flags) {
  std::vector<Place> places;
  if (!flags.trails.empty()) {
    for (const path& folder : flags.trails) places.push_back({folder, {}});
    return places;
  }
  if (!flags.config.empty()) {
    SYMBOLON_TRY(Place place, PlaceOfConfiguration(flags.config));
    return std::vector{std::move(place)};
  }
  SYMBOLON_TRY(const LabSettings lab, ReadSettings(flags.dir));
  for (const LabRegion& region : lab.regions) {
    if (!flags.region.empty() && region.name.value() != flags.region) continue;
    SYMBOLON_TRY(Place place, PlaceOfConfiguration(NodeConfigurationFile(lab.dir, region.name)));
    places.push_back(std::move(place));
  }
  if (places.empty()) return Fail(fmt::format("the lab has no Region {}", flags.region));
  return places;
}

CliResult<Bytes> PublicKeyOf(std::string text) {
  std::error_code error;
  if (std::filesystem::exists(text, error)) {
    SYMBOLON_TRY(text, ReadFile(text));
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  auto key = Base64Decode(text);
  if (!key || key->size() != crypto::kEd25519PublicKeyBytes) {
    return Fail("--public-key: 32 octets in base64, or a file that holds them");
  }
  return *std::move(key);
}

CliResult<audit::Filter> FilterOf(const AuditFlags& flags, Timestamp now) {
  audit::Filter filter{.key = flags.key, .event_name = flags.event};
  if (!flags.since.empty()) {
    SYMBOLON_TRY(filter.since, AuditTime(flags.since, now));
  }
  if (!flags.until.empty()) {
    SYMBOLON_TRY(filter.until, AuditTime(flags.until, now));
  }
  return filter;
}

CliResult<void> ForEach(const AuditFlags& flags, Clock& clock, const std::function<void(std::string_view)>& take) {
  SYMBOLON_TRY(const audit::Filter filter, FilterOf(flags, clock.Now()));
  SYMBOLON_TRY(const auto places, PlacesOf(flags));
  for (const Place& place : places) {
    const auto read = audit::ForEachEvent(place.folder, filter, take);
    if (!read) return CannotRead(read.error());
  }
  return {};
}

std::string TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::object* ObjectAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

// "userpool/eu-central-1_a" of its ARN.
std::string LastPart(const std::string& arn) { return arn.substr(arn.rfind(':') + 1); }

// Years 0 to 9999: "2026-11-28", digits where they have to be.
bool LooksLikeADay(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return false;
  }
  return true;
}

}  // namespace

CliResult<std::string> AuditTime(const std::string& text, Timestamp now) {
  if (LooksLikeADay(text)) return text + "T00:00:00Z";
  constexpr std::string_view kForm = "T00:00:00Z";
  if (text.size() == 10 + kForm.size() && LooksLikeADay(text.substr(0, 10)) && text[10] == 'T' && text.ends_with('Z')) {
    return text;
  }
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}};
  for (const auto& [name, seconds] : kUnits) {
    if (error == std::errc() && unit == name && count >= 0 && count < 1'000'000) {
      return audit::FormatTime(now - std::chrono::seconds(count * seconds));
    }
  }
  return Fail(fmt::format("{} is no time: 2026-11-28T11:05:09Z, 2026-11-28, or 90s, 15m, 2h, 7d ago", text));
}

CliResult<path> AuditFolderOf(std::string_view configuration, const path& folder) {
  try {
    const toml::table file = toml::parse(configuration);
    if (const auto directory = file["audit"]["directory"].value<std::string>()) return folder / *directory;
    if (const auto data_dir = file["data_dir"].value<std::string>()) return folder / *data_dir / "audit";
    return Fail("the configuration names neither audit.directory nor data_dir");
  } catch (const toml::parse_error& error) {
    return Fail(fmt::format("the configuration cannot be read: {}", error.description()));
  }
}

CliResult<path> OutsideCheckpointOf(std::string_view configuration, const path& folder) {
  try {
    const toml::table file = toml::parse(configuration);
    if (const auto data_dir = file["data_dir"].value<std::string>()) {
      return folder / *data_dir / "keys" / audit::kOutsideFile;
    }
    const auto root_key = file["keys"]["root_key_file"].value<std::string>();
    if (!root_key) return Fail("the configuration names neither data_dir nor keys.root_key_file");
    return (folder / *root_key).parent_path() / "keys" / audit::kOutsideFile;
  } catch (const toml::parse_error& error) {
    return Fail(fmt::format("the configuration cannot be read: {}", error.description()));
  }
}

std::string AuditLine(std::string_view record) {
  boost::system::error_code error;
  const json::value value = json::parse(record, error);
  if (error || !value.is_object()) return std::string(record);
  const json::object& event = value.get_object();
  std::string who = "?";
  if (const json::object* identity = ObjectAt(event, "userIdentity")) {
    who = TextAt(*identity, "invokedBy");
    if (who.empty()) who = fmt::format("{} {}", LastPart(TextAt(*identity, "arn")), TextAt(*identity, "accessKeyId"));
  }
  std::string keys;
  if (const json::value* resources = event.if_contains("resources"); resources != nullptr && resources->is_array()) {
    for (const json::value& resource : resources->get_array()) {
      if (!resource.is_object()) continue;
      keys += (keys.empty() ? "" : ",") + LastPart(TextAt(resource.get_object(), "ARN"));
    }
  }
  std::string about;
  if (const json::object* parameters = ObjectAt(event, "requestParameters")) {
    about = TextAt(*parameters, "userPoolId");
    if (const json::object* context = ObjectAt(*parameters, "encryptionContext")) {
      about = LastPart(TextAt(*context, "aws:cognito-idp:userpool-arn"));
    }
  }
  if (const json::object* more = ObjectAt(event, "additionalEventData"); more != nullptr && about.empty()) {
    about = TextAt(*more, "userPoolId");
  }
  const std::string failure = TextAt(event, "errorCode");
  std::string times;  // Of a line that stands for several events.
  if (const json::object* counted = ObjectAt(event, "additionalEventData")) {
    const json::value* count = counted->if_contains("count");
    if (count != nullptr && count->is_int64()) {
      times = fmt::format(" {} times since {}", count->get_int64(), TextAt(*counted, "firstEventTime"));
    }
  }
  return fmt::format("{}  {:<32} {}  {}  {}  {}{}", TextAt(event, "eventTime"), TextAt(event, "eventName"), who,
                     keys.empty() ? "-" : keys, about.empty() ? "-" : about, failure.empty() ? "ok" : failure, times);
}

std::string VerificationText(const audit::Verification& verification, const path& folder) {
  std::string text = fmt::format("{} ({}): {} lines in {} files, {} of them events; lines {} to {}, signed up to {}\n",
                                 verification.region.empty() ? "?" : verification.region, folder.string(),
                                 verification.lines, verification.files, verification.events,
                                 verification.first_sequence, verification.end.sequence, verification.signed_sequence);
  for (const std::string& note : verification.notes) text += "  note: " + note + "\n";
  for (const std::string& problem : verification.problems) text += "  PROBLEM: " + problem + "\n";
  text += verification.good() ? "  whole and unaltered\n" : "  NOT whole and unaltered\n";
  return text;
}

CliResult<void> VerifyAudit(const AuditFlags& flags) {
  SYMBOLON_TRY(const auto places, PlacesOf(flags));
  const auto fits = [&](std::size_t given) { return given == 0 || given == places.size(); };
  if (!fits(flags.public_keys.size()) || !fits(flags.checkpoints.size())) {
    return Fail(
        fmt::format("--public-key and --checkpoint: one for each of the {} trails, in their order", places.size()));
  }
  std::vector<audit::VerifyOptions> options;
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto& one = options.emplace_back(audit::VerifyOptions{
        .public_key = {},
        .earlier_files_elsewhere = flags.earlier_files_elsewhere,
        .witnesses = {},
        .outside_file = flags.checkpoints.empty() ? places[i].outside_file : flags.checkpoints[i]});
    if (flags.public_keys.empty()) continue;
    SYMBOLON_TRY(one.public_key, PublicKeyOf(flags.public_keys[i]));
  }
  // What the Regions have seen of each other comes first, so that it is older than what it is compared with.
  std::vector<audit::Witness> witnesses;
  for (std::size_t i = 0; i < places.size() && places.size() > 1; ++i) {
    auto first = audit::VerifyTrail(places[i].folder, options[i]);
    if (!first) return CannotRead(first.error());
    std::ranges::move(first->witnesses, std::back_inserter(witnesses));
  }
  bool good = true;
  for (std::size_t i = 0; i < places.size(); ++i) {
    options[i].witnesses = witnesses;
    const auto found = audit::VerifyTrail(places[i].folder, options[i]);
    if (!found) return CannotRead(found.error());
    fmt::print("{}", VerificationText(*found, places[i].folder));
    good = good && found->good();
    options[i].witnesses.clear();
  }
  if (!good) return Fail("");
  return {};
}

CliResult<void> ListAudit(const AuditFlags& flags, Clock& clock) {
  return ForEach(flags, clock, [](std::string_view record) { fmt::print("{}\n", AuditLine(record)); });
}

CliResult<void> ExportAudit(const AuditFlags& flags, Clock& clock) {
  return ForEach(flags, clock, [](std::string_view record) { fmt::print("{}\n", record); });
}

}  // namespace symbolon::cli
