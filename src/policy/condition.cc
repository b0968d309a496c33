#include "policy/condition.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <cstring>

#include "policy/vocabulary.h"

namespace symbolon::policy {
namespace {

namespace json = boost::json;

constexpr std::size_t kValuesMax = 256;
constexpr unsigned kMappedBits = 96;
constexpr std::string_view kForAny = "ForAnyValue:";
constexpr std::string_view kForAll = "ForAllValues:";
constexpr std::string_view kIfExists = "IfExists";

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<bool> ParseFlag(std::string_view text) {
  const std::string lower = LowerCase(text);
  if (lower == "true") return true;
  if (lower == "false") return false;
  return std::nullopt;
}

// As the text that a policy could have held instead.
std::optional<std::string> TextOf(const json::value& value) {
  if (value.is_string()) return std::string(std::string_view(value.get_string()));
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (value.is_double()) return fmt::format("{}", value.get_double());
  return std::nullopt;
}

// Two digits (or four) at a place of a text.
std::optional<int> DigitsAt(std::string_view text, std::size_t place, std::size_t count) {
  if (text.size() < place + count) return std::nullopt;
  const std::string_view digits = text.substr(place, count);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return ParseNumber<int>(digits);
}

}  // namespace

std::optional<AddressRange> AddressRange::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  AddressRange range;
  unsigned offset = 0;
  if (in_addr v4{}; ::inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    range.address[10] = range.address[11] = 0xff;
    std::memcpy(range.address.data() + 12, &v4, sizeof v4);
    offset = kMappedBits;
  } else if (::inet_pton(AF_INET6, address.c_str(), range.address.data()) != 1) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return range;
  const auto bits = ParseNumber<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > 128 - offset) return std::nullopt;
  range.prefix_bits = offset + *bits;
  return range;
}

bool AddressRange::Contains(const AddressRange& single) const {
  for (unsigned bit = 0; bit < prefix_bits; bit += 8) {
    const unsigned rest = std::min(8U, prefix_bits - bit);
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    if (((address[bit / 8] ^ single.address[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

std::optional<Timestamp> ParseTime(std::string_view text) {
  if (const auto seconds = ParseNumber<std::int64_t>(text); seconds && std::abs(*seconds) < 100'000'000'000) {
    return FromSeconds(*seconds);
  }
  const auto year = DigitsAt(text, 0, 4);
  const auto month = DigitsAt(text, 5, 2);
  const auto day = DigitsAt(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  Timestamp time = std::chrono::sys_days(date);
  if (text.size() == 10) return time;
  const auto hour = DigitsAt(text, 11, 2);
  const auto minute = DigitsAt(text, 14, 2);
  if (text[10] != 'T' || !hour || !minute || text[13] != ':' || *hour > 23 || *minute > 59) return std::nullopt;
  time += std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  std::string_view rest = text.substr(16);
  if (rest.starts_with(':')) {
    const auto second = DigitsAt(rest, 1, 2);
    if (!second || *second > 59) return std::nullopt;
    time += std::chrono::seconds(*second);
    rest.remove_prefix(3);
  }
  if (rest != "Z") return std::nullopt;
  return time;
}

struct Condition::Name {
  std::string_view name;
  Comparison comparison;
  bool negated = false;
  Order order = Order::kEqual;
  bool wildcards = false;
  bool ignores_case = false;
};

const Condition::Name* Condition::FindName(std::string_view name) {
  using enum Comparison;
  using enum Order;
  static constexpr Name kNames[] = {
      {"StringEquals", kText},
      {"StringNotEquals", kText, true},
      {.name = "StringEqualsIgnoreCase", .comparison = kText, .ignores_case = true},
      {.name = "StringNotEqualsIgnoreCase", .comparison = kText, .negated = true, .ignores_case = true},
      {.name = "StringLike", .comparison = kText, .wildcards = true},
      {.name = "StringNotLike", .comparison = kText, .negated = true, .wildcards = true},
      // AWS compares both pairs alike.
      {"ArnEquals", kArn},
      {"ArnLike", kArn},
      {"ArnNotEquals", kArn, true},
      {"ArnNotLike", kArn, true},
      {"Bool", kFlag},
      {"NumericEquals", kNumber},
      {"NumericNotEquals", kNumber, true},
      {"NumericLessThan", kNumber, false, kLess},
      {"NumericLessThanEquals", kNumber, false, kLessOrEqual},
      {"NumericGreaterThan", kNumber, false, kGreater},
      {"NumericGreaterThanEquals", kNumber, false, kGreaterOrEqual},
      {"DateEquals", kDate},
      {"DateNotEquals", kDate, true},
      {"DateLessThan", kDate, false, kLess},
      {"DateLessThanEquals", kDate, false, kLessOrEqual},
      {"DateGreaterThan", kDate, false, kGreater},
      {"DateGreaterThanEquals", kDate, false, kGreaterOrEqual},
      {"IpAddress", kAddress},
      {"NotIpAddress", kAddress, true},
      {"Null", kAbsence},
  };
  const auto* const found = std::ranges::find(kNames, name, &Name::name);
  return found == std::end(kNames) ? nullptr : found;
}

Result<Condition, std::string> Condition::Parse(std::string_view operator_name, std::string_view key,
                                                const json::value& values, bool variables) {
  Condition condition;
  std::string_view name = operator_name;
  if (name.starts_with(kForAny)) {
    condition.quantifier_ = Quantifier::kAny;
    name.remove_prefix(kForAny.size());
  } else if (name.starts_with(kForAll)) {
    condition.quantifier_ = Quantifier::kAll;
    name.remove_prefix(kForAll.size());
  }
  if (name.ends_with(kIfExists)) {
    condition.if_exists_ = true;
    name.remove_suffix(kIfExists.size());
  }
  const Name* const found = FindName(name);
  const bool null_with_more =
      found != nullptr && found->comparison == Comparison::kAbsence && name.size() != operator_name.size();
  if (found == nullptr || null_with_more) return Err(fmt::format("\"{}\" is no condition operator", operator_name));
  condition.comparison_ = found->comparison;
  condition.order_ = found->order;
  condition.negated_ = found->negated;

  const auto known = FindContextKey(key);
  if (!known) return Err(fmt::format("\"{}\" is no condition key that is known here", key));
  condition.key_ = LowerCase(key);
  if (known->multivalued && condition.quantifier_ == Quantifier::kOne &&
      condition.comparison_ != Comparison::kAbsence) {
    return Err(fmt::format("\"{}\" may have many values: its operator needs ForAnyValue: or ForAllValues:", key));
  }
  const auto fits = [&] {
    switch (condition.comparison_) {
      case Comparison::kText:
      case Comparison::kAbsence:
        return true;
      case Comparison::kArn:
        return known->type == KeyType::kArn || known->type == KeyType::kString;
      case Comparison::kFlag:
        return known->type == KeyType::kBool;
      case Comparison::kNumber:
        return known->type == KeyType::kNumber || LowerCase(key) == "aws:epochtime";
      case Comparison::kDate:
        return known->type == KeyType::kDate;
      case Comparison::kAddress:
        return known->type == KeyType::kIpAddress;
    }
    return false;
  };
  if (!fits()) return Err(fmt::format("\"{}\" cannot be compared by {}", key, name));

  const auto add = [&](const json::value& value) -> Result<void, std::string> {
    auto parsed = ParseValue(*found, value, variables);
    if (!parsed) return Err(fmt::format("the value of {} for \"{}\" {}", operator_name, key, parsed.error()));
    condition.values_.push_back(*std::move(parsed));
    return {};
  };
  const auto* const list = values.if_array();
  if (list == nullptr) {
    SYMBOLON_TRY_VOID(add(values));
    return condition;
  }
  if (list->empty() || list->size() > kValuesMax) {
    return Err(fmt::format("{} for \"{}\" must have 1 to {} values", operator_name, key, kValuesMax));
  }
  for (const json::value& value : *list) SYMBOLON_TRY_VOID(add(value));
  return condition;
}

Result<Condition::Value, std::string> Condition::ParseValue(const Name& name, const json::value& value,
                                                            bool variables) {
  const auto text = TextOf(value);
  if (!text) return Err(std::string("is no text"));
  const auto require = [](auto parsed, const char* what) -> Result<Value, std::string> {
    if (!parsed) return Err(std::string(what));
    return Value(*std::move(parsed));
  };
  switch (name.comparison) {
    case Comparison::kText: {
      if (!value.is_string()) return Err(std::string("is no text"));
      SYMBOLON_TRY(Pattern pattern, Pattern::Parse(*text, {.wildcards = name.wildcards,
                                                           .variables = variables,
                                                           .ignores_case = name.ignores_case}));
      return Value(std::move(pattern));
    }
    case Comparison::kArn: {
      SYMBOLON_TRY(ArnPattern pattern, ArnPattern::Parse(*text, variables));
      return Value(std::move(pattern));
    }
    case Comparison::kFlag:
    case Comparison::kAbsence:
      return require(ParseFlag(*text), "must be true or false");
    case Comparison::kNumber:
      return require(ParseNumber<double>(*text), "is no number");
    case Comparison::kDate:
      return require(ParseTime(*text), "is no time, as in 2026-11-28T10:00:00Z");
    case Comparison::kAddress:
      return require(AddressRange::Parse(*text), "is no IP address or range of them");
  }
  return Err(std::string("is not understood"));
}

bool Condition::Holds(const Context& context, bool strict) const {
  const auto* const found = context.Find(key_);
  if (comparison_ == Comparison::kAbsence) {
    return std::ranges::any_of(values_, [&](const Value& v) { return std::get<bool>(v) == (found == nullptr); });
  }
  const bool missing = found == nullptr || found->empty();
  const auto holds = [&](const std::string& value) { return HoldsFor(value, context, strict); };
  if (quantifier_ == Quantifier::kAll) return missing || std::ranges::all_of(*found, holds);
  if (missing) return if_exists_ || (negated_ && quantifier_ == Quantifier::kOne);
  if (quantifier_ == Quantifier::kOne && strict) return std::ranges::all_of(*found, holds);
  return std::ranges::any_of(*found, holds);
}

bool Condition::HoldsFor(const std::string& value, const Context& context, bool strict) const {
  const auto resolves = [&](const Value& v) {
    if (const auto* pattern = std::get_if<Pattern>(&v)) return pattern->Resolves(context);
    if (const auto* arn = std::get_if<ArnPattern>(&v)) return arn->Resolves(context);
    return true;
  };
  if (negated_ && strict && !std::ranges::all_of(values_, resolves)) return false;
  const bool equal = std::ranges::any_of(values_, [&](const Value& v) { return Compare(v, value, context); });
  return equal != negated_;
}

bool Condition::Compare(const Value& expected, const std::string& value, const Context& context) const {
  const auto ordered = [&](const auto& actual, const auto& limit) {
    switch (order_) {
      case Order::kEqual:
        return actual == limit;
      case Order::kLess:
        return actual < limit;
      case Order::kLessOrEqual:
        return actual <= limit;
      case Order::kGreater:
        return actual > limit;
      case Order::kGreaterOrEqual:
        return actual >= limit;
    }
    return false;
  };
  switch (comparison_) {
    case Comparison::kText:
      return std::get<Pattern>(expected).Matches(value, context);
    case Comparison::kArn:
      return std::get<ArnPattern>(expected).Matches(value, context);
    case Comparison::kFlag:
      return ParseFlag(value) == std::get<bool>(expected);
    case Comparison::kNumber: {
      const auto actual = ParseNumber<double>(value);
      return actual && ordered(*actual, std::get<double>(expected));
    }
    case Comparison::kDate: {
      const auto actual = ParseTime(value);
      return actual && ordered(*actual, std::get<Timestamp>(expected));
    }
    case Comparison::kAddress: {
      const auto actual = AddressRange::Parse(value);
      return actual && std::get<AddressRange>(expected).Contains(*actual);
    }
    case Comparison::kAbsence:
      return false;
  }
  return false;
}

}  // namespace symbolon::policy
