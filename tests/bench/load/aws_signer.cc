#include "load/aws_signer.h"

#include <algorithm>
#include <cctype>
#include <ctime>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace symbolon::bench {
namespace {

constexpr std::string_view kTermination = "aws4_request";

std::string DateTime(Timestamp now) {
  const std::time_t seconds = ToSeconds(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[17];
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

std::vector<HeaderField> AwsSigner::Sign(std::string_view method, std::string_view path,
                                         const std::vector<HeaderField>& headers, std::string_view body,
                                         Timestamp now) {
  const std::string date_time = DateTime(now);
  const std::string date = date_time.substr(0, 8);

  std::vector<HeaderField> canonical_headers{{"x-amz-date", date_time}};
  for (const auto& [name, value] : headers) canonical_headers.emplace_back(LowerCase(name), value);
  std::ranges::sort(canonical_headers);
  std::string lines, names;
  for (const auto& [name, value] : canonical_headers) {
    lines.append(name).append(":").append(value).append("\n");
    names.append(names.empty() ? "" : ";").append(name);
  }

  std::string request(method);
  request.append("\n").append(path).append("\n\n").append(lines).append("\n").append(names).append("\n");
  request.append(HexEncode(crypto::Sha256(body)));
  std::string scope = date;
  scope.append("/").append(scope_.region).append("/").append(scope_.service).append("/").append(kTermination);
  std::string to_sign = "AWS4-HMAC-SHA256\n";
  to_sign.append(date_time).append("\n").append(scope).append("\n").append(HexEncode(crypto::Sha256(request)));

  std::string authorization = "AWS4-HMAC-SHA256 Credential=";
  authorization.append(scope_.access_key_id).append("/").append(scope);
  authorization.append(", SignedHeaders=").append(names);
  authorization.append(", Signature=").append(HexEncode(crypto::HmacSha256(KeyOf(date), to_sign)));
  return {{"X-Amz-Date", date_time}, {"Authorization", std::move(authorization)}};
}

const Bytes& AwsSigner::KeyOf(const std::string& date) {
  if (key_date_ == date) return key_;
  key_ = "AWS4" + scope_.secret_access_key;
  for (const std::string_view step :
       {std::string_view(date), std::string_view(scope_.region), std::string_view(scope_.service), kTermination}) {
    key_ = crypto::HmacSha256(key_, step);
  }
  key_date_ = date;
  return key_;
}

}  // namespace symbolon::bench
