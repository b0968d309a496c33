// One line of a statement's Condition: an operator, a key and the values it is compared with.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "policy/context.h"
#include "policy/pattern.h"

namespace symbolon::policy {

// Of IPv4 (as IPv6 maps it) or IPv6.
struct AddressRange {
  std::array<std::uint8_t, 16> address{};
  unsigned prefix_bits = 128;

  // "192.0.2.0/24", "2001:db8::1".
  static std::optional<AddressRange> Parse(std::string_view text);
  bool Contains(const AddressRange& single) const;
};

// ISO 8601 in UTC ("2026-11-28T10:00:00Z", "2026-11-28") or seconds since 1970.
std::optional<Timestamp> ParseTime(std::string_view text);

// Immutable and thread-safe.
class Condition {
 public:
  // `variables`: whether values may hold ${...} (Version 2012-10-17). The error says what is wrong.
  static Result<Condition, std::string> Parse(std::string_view operator_name, std::string_view key,
                                              const boost::json::value& values, bool variables);

  // In doubt it does not hold if `strict`, as of an Allow, and holds otherwise. In doubt are a negated comparison with
  // a variable that has no value, and two members of an encryption context whose names differ in case only: one key
  // with two values, for one of which it holds.
  bool Holds(const Context& context, bool strict) const;

 private:
  enum class Comparison { kText, kArn, kFlag, kNumber, kDate, kAddress, kAbsence };
  enum class Order { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
  enum class Quantifier { kOne, kAny, kAll };
  struct Name;
  using Value = std::variant<Pattern, ArnPattern, bool, double, Timestamp, AddressRange>;

  static const Name* FindName(std::string_view name);
  static Result<Value, std::string> ParseValue(const Name& name, const boost::json::value& value, bool variables);
  // Whether one value of the request stands in the relation to one of the policy's, the negation included.
  bool HoldsFor(const std::string& value, const Context& context, bool strict) const;
  bool Compare(const Value& expected, const std::string& value, const Context& context) const;

  Comparison comparison_ = Comparison::kText;
  Order order_ = Order::kEqual;
  Quantifier quantifier_ = Quantifier::kOne;
  bool negated_ = false;
  bool if_exists_ = false;
  std::string key_;  // in lower case
  std::vector<Value> values_;
};

}  // namespace symbolon::policy
