#include "http/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace symbolon::http {
namespace {

using std::chrono::minutes;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr minutes kWindow(5);
constexpr std::size_t kSigningKeysLimit = 256;

constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.";

tl::unexpected<SigV4Error> Fail(SigV4Code code, std::string_view message) {
  return Err(SigV4Error{code, std::string(message)});
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// `count` digits at the front of `text`, removed from it.
std::optional<int> TakeNumber(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool TakeText(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

std::optional<Timestamp> MakeTime(int year, int month, int day, int hour, int minute, int second) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

// "20150830T123600Z".
std::optional<Timestamp> ParseBasicDate(std::string_view text) {
  const auto year = TakeNumber(text, 4), month = TakeNumber(text, 2), day = TakeNumber(text, 2);
  if (!TakeText(text, "T")) return std::nullopt;
  const auto hour = TakeNumber(text, 2), minute = TakeNumber(text, 2), second = TakeNumber(text, 2);
  if (text != "Z" || !year || !month || !day || !hour || !minute || !second) return std::nullopt;
  return MakeTime(*year, *month, *day, *hour, *minute, *second);
}

// "Sun, 30 Aug 2015 12:36:00 GMT" (RFC 9110 §5.6.7); the day of the week is not looked at.
std::optional<Timestamp> ParseHttpDate(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29) return std::nullopt;
  text.remove_prefix(3);
  if (!TakeText(text, ", ")) return std::nullopt;
  const auto day = TakeNumber(text, 2);
  if (!TakeText(text, " ")) return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(0, 3));
  text.remove_prefix(3);
  if (!TakeText(text, " ")) return std::nullopt;
  const auto year = TakeNumber(text, 4);
  if (!TakeText(text, " ")) return std::nullopt;
  const auto hour = TakeNumber(text, 2);
  if (!TakeText(text, ":")) return std::nullopt;
  const auto minute = TakeNumber(text, 2);
  if (!TakeText(text, ":")) return std::nullopt;
  const auto second = TakeNumber(text, 2);
  if (text != " GMT" || month == kMonths.end() || !year || !day || !hour || !minute || !second) return std::nullopt;
  return MakeTime(*year, static_cast<int>(month - kMonths.begin()) + 1, *day, *hour, *minute, *second);
}

// "20150830T123600Z".
std::string BasicDate(Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

struct SigningTime {
  Timestamp time;
  // The header that says it, which must be signed.
  std::string_view header;
};

Result<SigningTime, SigV4Error> FindSigningTime(const Headers& headers) {
  for (const std::string_view header : {"x-amz-date", "date"}) {
    if (headers.Count(header) > 1) return Fail(SigV4Code::kIncomplete, "The date header may be given only once.");
    const auto value = headers.Find(header);
    if (!value) continue;
    auto time = ParseBasicDate(*value);
    if (!time && header == "date") time = ParseHttpDate(*value);
    if (!time) {
      return Fail(SigV4Code::kIncomplete,
                  "Date must be in ISO-8601 'basic format'. See https://en.wikipedia.org/wiki/ISO_8601");
    }
    return SigningTime{*time, header};
  }
  return Fail(SigV4Code::kIncomplete,
              "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
}

Result<void, SigV4Error> CheckWindow(Timestamp signed_at, Timestamp now) {
  if (signed_at < now - kWindow) {
    return Fail(SigV4Code::kExpired,
                fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)", BasicDate(signed_at),
                            BasicDate(now - kWindow), BasicDate(now), kWindow.count()));
  }
  if (signed_at > now + kWindow) {
    return Fail(SigV4Code::kExpired,
                fmt::format("Signature not yet current: {} is still later than {} ({} + {} min.)", BasicDate(signed_at),
                            BasicDate(now + kWindow), BasicDate(now), kWindow.count()));
  }
  return {};
}

bool IsSigned(std::span<const std::string_view> signed_headers, std::string_view name) {
  return std::ranges::find(signed_headers, name) != signed_headers.end();
}

Result<std::string, SigV4Error> CheckedPayloadHash(const Request& request) {
  std::string hash = HexEncode(crypto::Sha256(request.body));
  if (request.headers.Count("x-amz-content-sha256") > 1 ||
      request.headers.Find("x-amz-content-sha256").value_or(hash) != hash) {
    return Fail(SigV4Code::kInvalidSignature,
                "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return hash;
}

}  // namespace

struct SigV4Verifier::Authorization {
  SigV4Caller caller;
  // Of the scope: "20150830".
  std::string_view date;
  std::string_view terminator;
  std::vector<std::string_view> signed_headers;
  Bytes signature;

  // "AWS4-HMAC-SHA256 Credential=<id>/<date>/<region>/<service>/aws4_request, SignedHeaders=<a;b>, Signature=<hex>",
  // each part once.
  static Result<Authorization, SigV4Error> Parse(const Headers& headers) {
    if (headers.Count("authorization") > 1) {
      return Fail(SigV4Code::kIncomplete, "Authorization header may be given only once.");
    }
    auto text = headers.Find("authorization").value_or("");
    if (!TakeText(text, kAlgorithm) || !text.starts_with(' ')) {
      return Fail(SigV4Code::kMissing, "Missing Authentication Token");
    }
    std::optional<std::string_view> credential, signed_headers, signature;
    for (std::string_view part : Split(text, ',')) {
      part = Trim(part);
      auto* slot = TakeText(part, "Credential=")      ? &credential
                   : TakeText(part, "SignedHeaders=") ? &signed_headers
                   : TakeText(part, "Signature=")     ? &signature
                                                      : nullptr;
      if (!slot || slot->has_value()) {
        return Fail(SigV4Code::kIncomplete, "Authorization header has a parameter that is not known or given twice.");
      }
      *slot = part;
    }
    std::string missing;
    if (!credential) missing += "Authorization header requires 'Credential' parameter. ";
    if (!signature) missing += "Authorization header requires 'Signature' parameter. ";
    if (!signed_headers) missing += "Authorization header requires 'SignedHeaders' parameter. ";
    if (!missing.empty()) return Fail(SigV4Code::kIncomplete, Trim(missing));

    const auto scope = Split(*credential, '/');
    if (scope.size() != 5 || std::ranges::any_of(scope, &std::string_view::empty)) {
      return Fail(SigV4Code::kIncomplete, "Credential must have exactly 5 slash-delimited elements.");
    }
    Authorization out;
    out.caller = {std::string(scope[0]), std::string(scope[2]), std::string(scope[3])};
    out.date = scope[1];
    out.terminator = scope[4];
    out.signed_headers = Split(*signed_headers, ';');
    const bool in_order =
        std::ranges::adjacent_find(out.signed_headers, std::ranges::greater_equal()) == out.signed_headers.end();
    const bool lower_case = std::ranges::none_of(*signed_headers, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!in_order || !lower_case || out.signed_headers.front().empty()) {
      return Fail(SigV4Code::kIncomplete, "SignedHeaders must be lower-case header names, sorted, each once.");
    }
    auto octets = HexDecode(*signature);
    if (!octets || octets->size() != crypto::kSha256Bytes) return Fail(SigV4Code::kInvalidSignature, kMismatch);
    out.signature = *std::move(octets);
    return out;
  }

  Result<void, SigV4Error> CheckScope(const std::string& signed_at, std::span<const std::string> regions,
                                      std::span<const std::string_view> services) const {
    const std::string_view signed_date = std::string_view(signed_at).substr(0, 8);
    if (date != signed_date) {
      return Fail(SigV4Code::kBadScope, fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                                                    "version of date from HTTP: '{}' != '{}', from '{}'.",
                                                    date, signed_date, signed_at));
    }
    if (std::ranges::find(regions, caller.region) == regions.end()) {
      return Fail(SigV4Code::kBadScope, "Credential should be scoped to a valid region.");
    }
    if (std::ranges::find(services, caller.service) == services.end()) {
      return Fail(SigV4Code::kBadScope,
                  fmt::format("Credential should be scoped to correct service: '{}'.", services.front()));
    }
    if (terminator != kTerminator) {
      return Fail(SigV4Code::kBadScope,
                  fmt::format("Credential should be scoped with a valid terminator: '{}'.", kTerminator));
    }
    return {};
  }

  Result<void, SigV4Error> CheckSignedHeaders(const Headers& headers, std::string_view date_header) const {
    for (const std::string_view name : {std::string_view("host"), date_header, std::string_view("x-amz-target")}) {
      if (name == "x-amz-target" && headers.Count(name) == 0) continue;
      if (!IsSigned(signed_headers, name)) {
        return Fail(SigV4Code::kInvalidSignature,
                    fmt::format("'{}' must be a 'SignedHeader' in the AWS Authorization.", name));
      }
      // Two of them would join to one signed text, and readers might take either.
      if (headers.Count(name) != 1) return Fail(SigV4Code::kInvalidSignature, kMismatch);
    }
    return {};
  }
};

SigV4Verifier::SigV4Verifier(std::vector<std::string> regions, const AccessKeys& access_keys, Clock& clock)
    : regions_(std::move(regions)), access_keys_(access_keys), clock_(clock) {}

Result<SigV4Caller, SigV4Error> SigV4Verifier::Verify(const Request& request,
                                                      std::span<const std::string_view> services) const {
  return VerifyAt(request, services, clock_.Now());
}

Result<SigV4Caller, SigV4Error> SigV4Verifier::VerifyAt(const Request& request,
                                                        std::span<const std::string_view> services,
                                                        Timestamp arrived) const {
  // 1. What is claimed?
  SYMBOLON_TRY(Authorization authorization, Authorization::Parse(request.headers));
  SYMBOLON_TRY(const SigningTime signing_time, FindSigningTime(request.headers));
  const std::string signed_at = BasicDate(signing_time.time);

  // 2. Is it for here and now?
  SYMBOLON_TRY_VOID(authorization.CheckScope(signed_at, regions_, services));
  SYMBOLON_TRY_VOID(CheckWindow(signing_time.time, arrived));
  SYMBOLON_TRY_VOID(authorization.CheckSignedHeaders(request.headers, signing_time.header));

  // 3. By whom?
  std::optional<AccessKey> access_key = access_keys_.Find(authorization.caller.access_key_id);
  if (!access_key || request.headers.Count("x-amz-security-token") > 0) {
    return Fail(SigV4Code::kUnknownKey, "The security token included in the request is invalid.");
  }

  // 4. Is it true?
  SYMBOLON_TRY(const std::string payload_hash, CheckedPayloadHash(request));
  const Bytes request_hash = crypto::Sha256(SigV4CanonicalRequest(request, authorization.signed_headers, payload_hash));
  const SigV4Caller& caller = authorization.caller;
  const std::string to_sign = fmt::format("{}\n{}\n{}/{}/{}/{}\n{}", kAlgorithm, signed_at, authorization.date,
                                          caller.region, caller.service, kTerminator, HexEncode(request_hash));
  const auto key = signing_keys_.Get(access_key->secret, authorization.date, caller);
  if (!crypto::EqualSecrets(key->Sha256(to_sign), authorization.signature)) {
    return Fail(SigV4Code::kInvalidSignature, kMismatch);
  }
  authorization.caller.owner = std::move(access_key->owner);
  return std::move(authorization.caller);
}

std::shared_ptr<const crypto::HmacKey> SigV4Verifier::SigningKeys::Get(const Secret& secret, std::string_view date,
                                                                       const SigV4Caller& scope) {
  Bytes name = crypto::Sha256(secret.view());
  name.append(date).append("/").append(scope.region).append("/").append(scope.service);
  std::lock_guard lock(mutex_);
  auto found = keys_.find(name);
  if (found == keys_.end()) {
    // Regions, services and dates are checked before, so only new secrets and new days fill it.
    if (keys_.size() >= kSigningKeysLimit) keys_.clear();
    const Secret initial(fmt::format("AWS4{}", secret.view()));
    const Secret for_date(crypto::HmacSha256(initial.view(), date));
    const Secret for_region(crypto::HmacSha256(for_date.view(), scope.region));
    const Secret for_service(crypto::HmacSha256(for_region.view(), scope.service));
    const Secret signing(crypto::HmacSha256(for_service.view(), kTerminator));
    found = keys_.emplace(std::move(name), std::make_shared<const crypto::HmacKey>(signing.view())).first;
  }
  return found->second;
}

}  // namespace symbolon::http
