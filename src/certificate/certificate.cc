#include "certificate/certificate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "certificate/text.h"

namespace symbolon::certificate {
namespace {

constexpr std::string_view kDomain = "symbolon certificate 1\n";
constexpr std::string_view kOrder = "{\"order\":";
constexpr std::string_view kStatements = ",\n\"statements\":[\n";
constexpr std::string_view kBetween = ",\n";
constexpr std::string_view kPending = "\n],\n\"pending\":";
constexpr std::string_view kRemoved = ",\"removed\":";

std::string_view StateOf(const Contents& contents) {
  if (!contents.pending.empty()) return "PENDING";
  return contents.removed.empty() ? "FINAL" : "FINAL_EXCEPT_REMOVED";
}

std::string Open(const std::vector<Unconfirmed>& regions) {
  std::vector<std::string> texts;
  for (const Unconfirmed& one : regions) {
    texts.push_back(fmt::format(R"({{"region":{},"reason":{}}})", Quoted(one.region.value()), Quoted(one.reason)));
  }
  return fmt::format("[{}]", fmt::join(texts, ","));
}

// All but what Signed() adds.
std::string Open(const Contents& contents) {
  const std::string removed = contents.removed.empty() ? "" : std::string(kRemoved) + Open(contents.removed);
  return fmt::format(R"({}{}{}{}{}{}{},"state":"{}","issuedBy":{},"issuedAt":"{}")", kOrder, contents.order_text,
                     kStatements, fmt::join(contents.statements, kBetween), kPending, Open(contents.pending), removed,
                     StateOf(contents), Quoted(contents.issued_by.value()), FormatTime(contents.issued_at));
}

std::vector<Unconfirmed> ReadUnconfirmed(Members& members, std::string_view name) {
  std::vector<Unconfirmed> regions;
  for (const boost::json::value& value : members.Array(name)) {
    Members one(value);
    regions.push_back({.region = Region(one.Text("region")), .reason = one.Text("reason")});
  }
  return regions;
}

// Its parts, as they stand there. Line ends are in no JSON text but between the parts.
std::optional<Contents> Parse(std::string_view text) {
  if (text.size() > kTextBytesMax || !text.starts_with(kOrder)) return std::nullopt;
  const std::size_t order_end = text.find(kStatements);
  const std::size_t statements_end = text.find(kPending);
  if (order_end == std::string_view::npos || statements_end == std::string_view::npos) return std::nullopt;
  const std::size_t statements_begin = order_end + kStatements.size();
  Contents contents;
  contents.order_text = text.substr(kOrder.size(), order_end - kOrder.size());
  // Without statements the line between is empty, and its end is the beginning of what follows.
  std::string_view statements =
      statements_begin < statements_end ? text.substr(statements_begin, statements_end - statements_begin) : "";
  while (!statements.empty()) {
    const std::size_t end = statements.find(kBetween);
    contents.statements.emplace_back(statements.substr(0, end));
    statements.remove_prefix(end == std::string_view::npos ? statements.size() : end + kBetween.size());
  }
  Members members(text);
  contents.pending = ReadUnconfirmed(members, "pending");
  if (members.Has("removed")) contents.removed = ReadUnconfirmed(members, "removed");
  contents.issued_by = Region(members.Text("issuedBy"));
  contents.issued_at = members.Time("issuedAt");
  if (!members.good()) return std::nullopt;
  return contents;
}

// That every Region of the order is there once, with its statement, as pending or as removed, and nobody else.
void CheckRegions(Verified& verified) {
  std::vector<Region> named;
  for (const SignedStatement& one : verified.statements) named.push_back(one.statement.region);
  for (const Unconfirmed& one : verified.pending) named.push_back(one.region);
  for (const Unconfirmed& one : verified.removed) named.push_back(one.region);
  for (const Region& region : verified.order.regions) {
    if (std::ranges::count(named, region) != 1) {
      verified.problems.push_back(fmt::format("Region {} is not there once.", region.value()));
    }
  }
  for (const Region& region : named) {
    if (std::ranges::find(verified.order.regions, region) == verified.order.regions.end()) {
      verified.problems.push_back(fmt::format("Region {} was not asked.", region.value()));
    }
  }
}

void CheckKeys(Verified& verified, const std::vector<Bytes>& known_keys) {
  const auto known = [&](const Bytes& key) {
    return known_keys.empty() || std::ranges::find(known_keys, key) != known_keys.end();
  };
  if (!known(verified.public_key)) {
    verified.problems.push_back(fmt::format("It is signed by {}, which is none of the keys that were given.",
                                            Base64Encode(verified.public_key)));
  }
  for (const SignedStatement& one : verified.statements) {
    if (!known(one.public_key)) {
      verified.problems.push_back(
          fmt::format("The statement of Region {} is signed by {}, which is none of the keys that were given.",
                      one.statement.region.value(), Base64Encode(one.public_key)));
    }
    if (one.statement.region == verified.issued_by && one.public_key != verified.public_key) {
      verified.problems.push_back(fmt::format("Region {} signed with two keys.", verified.issued_by.value()));
    }
  }
}

}  // namespace

std::string Issue(const Contents& contents, const crypto::Ed25519Key& key) {
  return Signed(Open(contents), kDomain, key) + "\n";
}

CertificateResult<Verified> Verify(std::string_view text, const std::vector<Bytes>& known_keys) {
  const auto refuse = [](std::string why) { return Err(CertificateError{std::move(why)}); };
  if (!text.ends_with('\n')) return refuse("it is no certificate, or was cut off");
  text.remove_suffix(1);
  const auto contents = Parse(text);
  const auto signature = CheckSignature(text, kDomain);
  if (!contents || !signature) return refuse("it is no certificate, or its layout was changed");
  if (!text.starts_with(Open(*contents) + ",\"publicKey\"")) return refuse("its layout was changed");
  Verified verified;
  SYMBOLON_TRY(verified.order, ParseOrder(contents->order_text));
  verified.pending = contents->pending;
  verified.removed = contents->removed;
  verified.final = contents->pending.empty();
  verified.issued_by = contents->issued_by;
  verified.issued_at = contents->issued_at;
  verified.public_key = signature->public_key;
  if (!signature->good) verified.problems.emplace_back("It was altered: its signature is not good.");
  for (const std::string& statement : contents->statements) {
    auto opened = OpenStatement(contents->order_text, statement);
    if (opened) {
      verified.statements.push_back(*std::move(opened));
    } else {
      verified.problems.push_back(opened.error().detail + ".");
    }
  }
  CheckRegions(verified);
  CheckKeys(verified, known_keys);
  return verified;
}

}  // namespace symbolon::certificate
