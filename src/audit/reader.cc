#include "audit/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <system_error>

namespace symbolon::audit {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kPrefix = "audit-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kNumberDigits = 12;

// "" for what is no text.
std::string TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool IsAbout(const json::object& record, const std::string& key) {
  const json::value* resources = record.if_contains("resources");
  if (resources == nullptr || !resources->is_array()) return false;
  return std::ranges::any_of(resources->get_array(), [&](const json::value& resource) {
    if (!resource.is_object()) return false;
    const std::string arn = TextAt(resource.get_object(), "ARN");
    return arn == key || arn.ends_with("/" + key);
  });
}

bool Passes(const Filter& filter, const json::object& record) {
  const std::string time = TextAt(record, "eventTime");
  return (filter.since.empty() || time >= filter.since) && (filter.until.empty() || time < filter.until) &&
         (filter.event_name.empty() || TextAt(record, "eventName") == filter.event_name) &&
         (filter.key.empty() || IsAbout(record, filter.key));
}

}  // namespace

std::string FileName(std::uint64_t first_sequence) {
  return fmt::format("{}{:0{}}{}", kPrefix, first_sequence, kNumberDigits, kSuffix);
}

AuditResult<std::vector<std::string>> ListFiles(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    const bool is_one = name.size() == kPrefix.size() + kNumberDigits + kSuffix.size() && name.starts_with(kPrefix) &&
                        name.ends_with(kSuffix);
    if (is_one) names.push_back(std::move(name));
  }
  if (error) return Err(AuditError{fmt::format("cannot list {}: {}", directory.string(), error.message())});
  std::ranges::sort(names);
  return names;
}

FileReader::FileReader(std::ifstream stream, std::filesystem::path file)
    : stream_(std::move(stream)), file_(std::move(file)), buffer_(kLineBytesMax + 2, '\0') {}

AuditResult<FileReader> FileReader::Open(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Err(AuditError{fmt::format("cannot open {}", file.string())});
  return FileReader(std::move(stream), file);
}

AuditResult<std::optional<FileReader::Text>> FileReader::Next() {
  stream_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  if (stream_.bad()) return Err(AuditError{fmt::format("cannot read {}", file_.string())});
  const auto count = static_cast<std::size_t>(stream_.gcount());
  if (count == 0) return std::nullopt;
  Text text{.offset_bytes = offset_bytes_};
  offset_bytes_ += count;
  // The line end counts, if it was there.
  text.complete = !stream_.eof() && !stream_.fail();
  text.text = buffer_.substr(0, text.complete ? count - 1 : count);
  return text;
}

std::string FileHeader::Body() const {
  return json::serialize(json::object{{"format", kFormat},
                                      {"chain", chain},
                                      {"region", region},
                                      {"account", account},
                                      {"name", name},
                                      {"previousFile", previous_file},
                                      {"publicKey", Base64Encode(public_key)},
                                      {"time", time}});
}

std::optional<FileHeader> ParseFileHeader(const Line& line) {
  if (line.kind != LineKind::kFile) return std::nullopt;
  boost::system::error_code error;
  const json::value body = json::parse(line.body, error);
  if (error || !body.is_object()) return std::nullopt;
  const json::object& object = body.get_object();
  const json::value* format = object.if_contains("format");
  auto public_key = Base64Decode(TextAt(object, "publicKey"));
  if (format == nullptr || *format != kFormat || !public_key) return std::nullopt;
  return FileHeader{.chain = TextAt(object, "chain"),
                    .region = TextAt(object, "region"),
                    .account = TextAt(object, "account"),
                    .name = TextAt(object, "name"),
                    .previous_file = TextAt(object, "previousFile"),
                    .public_key = *std::move(public_key),
                    .time = TextAt(object, "time")};
}

AuditResult<void> ForEachEvent(const std::filesystem::path& directory, const Filter& filter,
                               const std::function<void(std::string_view record)>& take) {
  SYMBOLON_TRY(const auto names, ListFiles(directory));
  for (const std::string& name : names) {
    SYMBOLON_TRY(auto file, FileReader::Open(directory / name));
    while (true) {
      SYMBOLON_TRY(const auto text, file.Next());
      if (!text || !text->complete) break;
      const auto line = ParseLine(text->text);
      if (!line || line->kind != LineKind::kEvent) continue;
      boost::system::error_code error;
      const json::value record = json::parse(line->body, error);
      if (error || !record.is_object() || !Passes(filter, record.get_object())) continue;
      take(line->body);
    }
  }
  return {};
}

}  // namespace symbolon::audit
