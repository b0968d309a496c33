#include "http/test_signer.h"

#include <cctype>
#include <ctime>
#include <map>
#include <string>

#include "crypto/hash.h"

namespace symbolon::http {

void TestSigner::Sign(Request& request, Timestamp now) const {
  const std::time_t seconds = ToSeconds(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date_time[17];
  std::strftime(date_time, sizeof(date_time), "%Y%m%dT%H%M%SZ", &utc);
  const std::string date(date_time, 8);
  request.headers.Remove("Authorization");
  request.headers.Set("X-Amz-Date", date_time);

  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : request.headers) {
    std::string lower;
    for (const char c : name) lower += static_cast<char>(std::tolower(c));
    sorted[lower] = value;
  }
  std::string header_lines, header_names;
  for (const auto& [name, value] : sorted) {
    header_lines += name + ":" + value + "\n";
    header_names += (header_names.empty() ? "" : ";") + name;
  }
  const std::string canonical = request.method + "\n" + request.target + "\n\n" + header_lines + "\n" + header_names +
                                "\n" + HexEncode(crypto::Sha256(request.body));
  const std::string scope = date + "/" + std::string(region) + "/" + std::string(service) + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + std::string(date_time) + "\n" + scope + "\n" + HexEncode(crypto::Sha256(canonical));
  Bytes key = "AWS4" + std::string(secret);
  for (const std::string_view step : {std::string_view(date), region, service, std::string_view("aws4_request")}) {
    key = crypto::HmacSha256(key, step);
  }
  request.headers.Add("Authorization", "AWS4-HMAC-SHA256 Credential=" + std::string(access_key_id) + "/" + scope +
                                           ", SignedHeaders=" + header_names +
                                           ", Signature=" + HexEncode(crypto::HmacSha256(key, to_sign)));
}

}  // namespace symbolon::http
