#include <fmt/format.h>
#include <fmt/ranges.h>

#include "certificate/certificate.h"
#include "certificate/text.h"
#include "crypto/hash.h"

namespace symbolon::certificate {
namespace {

constexpr std::size_t kGenerationBytes = 16;
constexpr std::size_t kSha256Bytes = 32;

std::string QuotedList(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(Quoted(text));
  return fmt::format("[{}]", fmt::join(quoted, ","));
}

std::optional<Kind> KindNamed(std::string_view name) {
  for (const Kind kind : {Kind::kUserPoolShredded, Kind::kUserErased}) {
    if (Name(kind) == name) return kind;
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(Kind kind) {
  switch (kind) {
    case Kind::kUserPoolShredded:
      return "USER_POOL_SHREDDED";
    case Kind::kUserErased:
      return "USER_ERASED";
  }
  return "";
}

std::string FormatOrder(const Order& order) {
  SYMBOLON_CHECK((order.kind == Kind::kUserErased) == !order.user_sub.empty());
  std::vector<std::string> keys, regions;
  for (const Order::DataKey& key : order.data_keys) {
    keys.push_back(fmt::format(R"({{"generation":"{}","wrappedSha256":"{}"}})", HexEncode(key.generation),
                               HexEncode(key.wrapped_sha256)));
  }
  for (const Region& region : order.regions) regions.push_back(region.value());
  const std::string sub =
      order.user_sub.empty() ? std::string() : fmt::format(",\"userSub\":{}", Quoted(order.user_sub));
  return fmt::format(
      R"({{"format":"symbolon certificate 1","kind":"{}","id":{},"userPoolId":{}{},"dataKeys":[{}],"kmsKeys":{},)"
      R"("askedBy":{},"askedIn":{},"askedAt":"{}","regions":{}}})",
      Name(order.kind), Quoted(order.id), Quoted(order.pool.value()), sub, fmt::join(keys, ","),
      QuotedList(order.kms_key_arns), Quoted(order.asked_by), Quoted(order.asked_in.value()),
      FormatTime(order.asked_at), QuotedList(regions));
}

CertificateResult<Order> ParseOrder(std::string_view text) {
  Members members(text);
  Order order;
  const auto kind = KindNamed(members.Text("kind"));
  order.kind = kind.value_or(Kind::kUserPoolShredded);
  order.id = members.Text("id");
  order.pool = PoolId(members.Text("userPoolId"));
  if (kind == Kind::kUserErased) order.user_sub = members.Text("userSub");
  for (const boost::json::value& value : members.Array("dataKeys")) {
    Members key(value);
    Bytes generation = key.Hex("generation", kGenerationBytes);
    const bool by_regions = key.Text("wrappedSha256").empty();
    order.data_keys.push_back({.generation = std::move(generation),
                               .wrapped_sha256 = by_regions ? Bytes() : key.Hex("wrappedSha256", kSha256Bytes)});
  }
  order.kms_key_arns = members.Texts("kmsKeys");
  order.asked_by = members.Text("askedBy");
  order.asked_in = Region(members.Text("askedIn"));
  order.asked_at = members.Time("askedAt");
  for (std::string& region : members.Texts("regions")) order.regions.emplace_back(std::move(region));
  const bool whole = members.good() && kind && (kind == Kind::kUserErased) == !order.user_sub.empty();
  // One spelling.
  if (!whole || FormatOrder(order) != text) return Err(CertificateError{"it holds no order that this version knows"});
  return order;
}

Bytes DigestOfOrder(std::string_view order_text) { return crypto::Sha256(order_text); }

}  // namespace symbolon::certificate
