#include "oauth/form.h"

#include <boost/url/params_view.hpp>
#include <boost/url/parse_query.hpp>

#include "base/bytes.h"
#include "http/message.h"

namespace symbolon::oauth {
namespace {

namespace urls = boost::urls;

constexpr std::size_t kFieldsMax = 64;

std::optional<std::string> DecodeFormPart(std::string_view text) {
  const auto parsed = urls::make_pct_string_view(text);
  if (!parsed) return std::nullopt;
  return parsed->decode(urls::encoding_opts(true));
}

}  // namespace

std::optional<std::map<std::string, std::string>> ParseForm(std::string_view body) {
  // parse_query crashes on a view of nothing (Boost 1.81).
  if (body.empty()) return std::map<std::string, std::string>();
  const auto encoded = urls::parse_query(body);
  if (!encoded) return std::nullopt;
  std::map<std::string, std::string> form;
  for (const auto& field : *encoded) {
    if (form.size() == kFieldsMax) return std::nullopt;
    const urls::encoding_opts plus_is_space(true);
    auto name = urls::pct_string_view(field.key).decode(plus_is_space);
    auto value = field.has_value ? urls::pct_string_view(field.value).decode(plus_is_space) : std::string();
    if (name.empty()) continue;  // "a=1&&b=2"
    if (!form.emplace(std::move(name), std::move(value)).second) return std::nullopt;
  }
  return form;
}

std::optional<BasicCredentials> ParseBasic(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.size() < kScheme.size() ||
      !http::EqualIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const auto decoded = Base64Decode(authorization.substr(kScheme.size()));
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  auto id = DecodeFormPart(std::string_view(*decoded).substr(0, colon));
  auto secret = DecodeFormPart(std::string_view(*decoded).substr(colon + 1));
  if (!id || !secret) return std::nullopt;
  return BasicCredentials{.client_id = *std::move(id), .client_secret = *std::move(secret)};
}

}  // namespace symbolon::oauth
