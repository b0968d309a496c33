#include "certificate/text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>

namespace symbolon::certificate {
namespace {

namespace json = boost::json;

constexpr std::string_view kPublicKey = ",\"publicKey\":\"";
constexpr std::string_view kSignature = "\",\"signature\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr std::size_t kPublicKeyTextBytes = 44;
constexpr std::size_t kSignatureTextBytes = 88;

const json::array kNoArray;
const json::object kNoObject;

// One spelling for each.
std::optional<Bytes> DecodeStrictly(std::string_view base64) {
  auto bytes = Base64Decode(base64);
  if (!bytes || Base64Encode(*bytes) != base64) return std::nullopt;
  return bytes;
}

}  // namespace

std::string Quoted(std::string_view text) { return json::serialize(json::string(text)); }

std::string FormatTime(Timestamp time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(time));
}

std::optional<Timestamp> ParseTime(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const std::string terminated(text);
  if (std::sscanf(terminated.c_str(), "%4d-%2u-%2uT%2u:%2u:%2uZ", &year, &month, &day, &hour, &minute, &second) != 6) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  // What FormatTime can say: the system's clock counts in nanoseconds.
  if (!date.ok() || year < 1970 || year > 2200) return std::nullopt;
  const Timestamp time = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                         std::chrono::seconds(second);
  if (FormatTime(time) != text) return std::nullopt;
  return time;
}

std::string Signed(std::string text, std::string_view domain, const crypto::Ed25519Key& key) {
  text += kPublicKey;
  text += Base64Encode(key.PublicKey());
  const Bytes signature = key.Sign(std::string(domain) + text + "\"");
  text += kSignature;
  text += Base64Encode(signature);
  text += kEnd;
  return text;
}

std::optional<Signature> CheckSignature(std::string_view text, std::string_view domain) {
  constexpr std::size_t kTail =
      kPublicKey.size() + kPublicKeyTextBytes + kSignature.size() + kSignatureTextBytes + kEnd.size();
  if (text.size() < kTail || !text.ends_with(kEnd)) return std::nullopt;
  std::string_view tail = text.substr(text.size() - kTail);
  if (!tail.starts_with(kPublicKey)) return std::nullopt;
  auto public_key = DecodeStrictly(tail.substr(kPublicKey.size(), kPublicKeyTextBytes));
  tail.remove_prefix(kPublicKey.size() + kPublicKeyTextBytes);
  if (!public_key || !tail.starts_with(kSignature)) return std::nullopt;
  const auto signature = DecodeStrictly(tail.substr(kSignature.size(), kSignatureTextBytes));
  if (!signature) return std::nullopt;
  // Up to the quotation mark that closes the key.
  const std::string_view said = text.substr(0, text.size() - tail.size() + 1);
  const bool good = crypto::VerifyEd25519(*public_key, std::string(domain) + std::string(said), *signature);
  return Signature{*std::move(public_key), good};
}

Members::Members(std::string_view text) {
  boost::system::error_code failure;
  const json::value parsed = text.size() <= kTextBytesMax ? json::parse(text, failure) : json::value();
  if (failure || !parsed.is_object()) return;
  object_ = parsed.get_object();
  good_ = true;
}

Members::Members(const json::value& value) {
  if (!value.is_object()) return;
  object_ = value.get_object();
  good_ = true;
}

const json::value* Members::Find(std::string_view name) {
  const json::value* found = object_.if_contains(name);
  if (found == nullptr) good_ = false;
  return found;
}

std::string Members::Text(std::string_view name) {
  const json::value* found = Find(name);
  if (found != nullptr && found->is_string()) return std::string(found->get_string());
  good_ = false;
  return {};
}

Timestamp Members::Time(std::string_view name) {
  const auto time = ParseTime(Text(name));
  if (!time) good_ = false;
  return time.value_or(Timestamp());
}

Bytes Members::Hex(std::string_view name, std::size_t size_bytes) {
  auto bytes = HexDecode(Text(name));
  if (bytes && bytes->size() == size_bytes) return *std::move(bytes);
  good_ = false;
  return {};
}

const json::array& Members::Array(std::string_view name) {
  const json::value* found = Find(name);
  if (found != nullptr && found->is_array()) return found->get_array();
  good_ = false;
  return kNoArray;
}

std::vector<std::string> Members::Texts(std::string_view name) {
  std::vector<std::string> texts;
  for (const json::value& value : Array(name)) {
    if (value.is_string()) {
      texts.emplace_back(value.get_string());
    } else {
      good_ = false;
    }
  }
  return texts;
}

const json::object& Members::Object(std::string_view name) {
  const json::value* found = Find(name);
  if (found != nullptr && found->is_object()) return found->get_object();
  good_ = false;
  return kNoObject;
}

}  // namespace symbolon::certificate
