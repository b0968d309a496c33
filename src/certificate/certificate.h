// Certificates that data were destroyed (docs/adr/0021-shredding-and-certificates.md). A certificate is a JSON text in
// three layers:
//
//   an *order*: what is to be destroyed, at whose wish; the same octets in every Region;
//   a *statement* of each Region that it asks: what was done there, and what remains; signed by that Region;
//   the *certificate*: the order and the statements, and which are missing; signed by the Region that issues it.
//
// Regions sign with the Ed25519 key that signs their audit trails. What is signed are the octets of the text before
// `,"signature"`, after a domain of its own, and a text has one spelling: there is no octet in a certificate that can
// be altered unseen. So it has to be kept as it is; JSON that was laid out anew does not verify.
//
//   {"order":{…},
//   "statements":[
//   {…,"publicKey":"…","signature":"…"},
//   {…,"publicKey":"…","signature":"…"}
//   ],
//   "pending":[{"region":"…","reason":"…"}],"state":"PENDING","issuedBy":"…","issuedAt":"…","publicKey":"…","signature":"…"}
//
// A Region that was removed for good without a word stands in `"removed":[…]`, after "pending", which is there only
// then; the state is FINAL_EXCEPT_REMOVED when nobody is pending.
//
// All functions are pure. Texts from outside are bounded by kTextBytesMax.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/ed25519.h"

namespace symbolon::certificate {

// Of an order, a statement, or a whole certificate.
inline constexpr std::size_t kTextBytesMax = 1 << 20;

struct CertificateError {
  // For people.
  std::string detail;
};
template <class T>
using CertificateResult = Result<T, CertificateError>;

// ---- what was asked for ----

enum class Kind {
  // All keys of a user pool, and with them all its records.
  kUserPoolShredded,
  // One user of a user pool.
  kUserErased,
};
// "USER_POOL_SHREDDED", "USER_ERASED".
std::string_view Name(Kind kind);

struct Order {
  Kind kind = Kind::kUserPoolShredded;
  // Random; in hexadecimal.
  std::string id;
  PoolId pool;
  // kUserErased: who, by an opaque name, and never by another. Empty otherwise.
  std::string user_sub;
  struct DataKey {
    // 16 octets: the name that every record under it carries.
    Bytes generation;
    // SHA-256 of the wrapped key's octets, by which a copy of them can be recognised.
    Bytes wrapped_sha256;
  };
  // kUserPoolShredded: those that were destroyed. kUserErased: those under which the user's records were sealed.
  std::vector<DataKey> data_keys;
  // The KMS keys that wrapped them.
  std::vector<std::string> kms_key_arns;
  // The ARN of who asked.
  std::string asked_by;
  Region asked_in;
  // In whole seconds.
  Timestamp asked_at{};
  // Whose statements make the certificate final.
  std::vector<Region> regions;
};

std::string FormatOrder(const Order& order);
CertificateResult<Order> ParseOrder(std::string_view text);
// SHA-256 of its octets.
Bytes DigestOfOrder(std::string_view order_text);

// ---- what a Region says ----

struct Statement {
  Region region;
  // In whole seconds.
  Timestamp at{};
  // How far the pool's directory was there, as in `x-symbolon-position`; empty: it was not there.
  std::string position;
  // What was done, with how many: {"setAsideFiles", 2}. Names in camel case, without repetition.
  std::vector<std::pair<std::string, std::uint64_t>> done;
  // What remains at this Region, for people: one sentence each.
  std::vector<std::string> remains;
};

// A statement about this order.
std::string SignStatement(std::string_view order_text, const Statement& statement, const crypto::Ed25519Key& key);

struct SignedStatement {
  Statement statement;
  Bytes public_key;
};
// Errors: no statement, one about another order, or its signature is not that of the key that it names.
CertificateResult<SignedStatement> OpenStatement(std::string_view order_text, std::string_view statement_text);

// ---- the whole ----

// A Region without a statement, and why.
struct Unconfirmed {
  Region region;
  std::string reason;
};

// `statements`: texts of SignStatement about this order, at most one of each Region. It is final when no Region of the
// order is pending.
struct Contents {
  std::string order_text;
  std::vector<std::string> statements;
  std::vector<Unconfirmed> pending;
  // Not waited for any more.
  std::vector<Unconfirmed> removed = {};
  Region issued_by;
  // In whole seconds.
  Timestamp issued_at{};
};
// With a line end.
std::string Issue(const Contents& contents, const crypto::Ed25519Key& key);

// What a certificate says, and whether to believe it.
struct Verified {
  Order order;
  std::vector<SignedStatement> statements;
  std::vector<Unconfirmed> pending;
  std::vector<Unconfirmed> removed;
  // Nobody is pending; of those that were removed nothing is known.
  bool final = false;
  Region issued_by;
  Timestamp issued_at{};
  Bytes public_key;
  // What is wrong; one sentence each.
  std::vector<std::string> problems;

  bool good() const { return problems.empty(); }
};
// `known_keys`: the Regions' public keys, from elsewhere; a signature by another one is a problem. Empty: those count
// that the certificate itself names, which says less. Error: it is no certificate, or its text was altered where it is
// not signed.
CertificateResult<Verified> Verify(std::string_view text, const std::vector<Bytes>& known_keys);

}  // namespace symbolon::certificate
