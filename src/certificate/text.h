// The texts of certificates: JSON with one spelling. Private to the module.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "certificate/certificate.h"

namespace symbolon::certificate {

// With quotes and escapes.
std::string Quoted(std::string_view text);
// "2026-11-28T11:05:09Z".
std::string FormatTime(Timestamp time);
std::optional<Timestamp> ParseTime(std::string_view text);

// `text`, which ends before the end of an object, with the members "publicKey" and "signature", the latter over
// `domain` and all before it.
std::string Signed(std::string text, std::string_view domain, const crypto::Ed25519Key& key);
// Whether `text` ends as Signed() would have ended it. The public key is that which stands there.
struct Signature {
  Bytes public_key;
  bool good = false;
};
std::optional<Signature> CheckSignature(std::string_view text, std::string_view domain);

// Reads members of a JSON object; what is missing or of another type is noted, and empty.
class Members {
 public:
  // Of a JSON text; anything else has no members.
  explicit Members(std::string_view text);
  explicit Members(const boost::json::value& value);

  bool good() const { return good_; }
  bool Has(std::string_view name) const { return object_.contains(name); }
  std::string Text(std::string_view name);
  Timestamp Time(std::string_view name);
  Bytes Hex(std::string_view name, std::size_t size_bytes);
  const boost::json::array& Array(std::string_view name);
  std::vector<std::string> Texts(std::string_view name);
  const boost::json::object& Object(std::string_view name);

 private:
  const boost::json::value* Find(std::string_view name);

  boost::json::object object_;
  bool good_ = false;
};

}  // namespace symbolon::certificate
