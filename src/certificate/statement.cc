#include <fmt/format.h>
#include <fmt/ranges.h>

#include "certificate/certificate.h"
#include "certificate/text.h"

namespace symbolon::certificate {
namespace {

constexpr std::string_view kDomain = "symbolon certificate statement 1\n";

// All but what Signed() adds.
std::string Open(const Bytes& order_digest, const Statement& statement) {
  std::vector<std::string> done, remains;
  for (const auto& [what, count] : statement.done) done.push_back(fmt::format("{}:{}", Quoted(what), count));
  for (const std::string& text : statement.remains) remains.push_back(Quoted(text));
  return fmt::format(R"({{"region":{},"order":"{}","at":"{}","position":{},"done":{{{}}},"remains":[{}])",
                     Quoted(statement.region.value()), HexEncode(order_digest), FormatTime(statement.at),
                     Quoted(statement.position), fmt::join(done, ","), fmt::join(remains, ","));
}

}  // namespace

std::string SignStatement(std::string_view order_text, const Statement& statement, const crypto::Ed25519Key& key) {
  return Signed(Open(DigestOfOrder(order_text), statement), kDomain, key);
}

CertificateResult<SignedStatement> OpenStatement(std::string_view order_text, std::string_view statement_text) {
  const auto refuse = [](std::string why) { return Err(CertificateError{std::move(why)}); };
  const auto signature = CheckSignature(statement_text, kDomain);
  Members members(statement_text);
  if (!signature || !members.good()) return refuse("there is no statement");
  SignedStatement opened{.statement = {}, .public_key = signature->public_key};
  Statement& statement = opened.statement;
  statement.region = Region(members.Text("region"));
  const std::string order = members.Text("order");
  statement.at = members.Time("at");
  statement.position = members.Text("position");
  bool counts = true;
  for (const auto& [what, count] : members.Object("done")) {
    const auto number = boost::json::try_value_to<std::uint64_t>(count);
    counts = counts && number.has_value();
    statement.done.emplace_back(what, number.has_value() ? *number : 0);
  }
  statement.remains = members.Texts("remains");
  if (!members.good() || !counts) return refuse("a statement is not one that this version knows");
  if (order != HexEncode(DigestOfOrder(order_text))) {
    return refuse(fmt::format("the statement of Region {} is about something else", statement.region.value()));
  }
  const bool one_spelling = statement_text.starts_with(Open(DigestOfOrder(order_text), statement) + ",\"publicKey\"");
  if (!one_spelling || !signature->good) {
    return refuse(
        fmt::format("the statement of Region {} was altered: its signature is not good", statement.region.value()));
  }
  return opened;
}

}  // namespace symbolon::certificate
