#include "auth/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "auth/attribute_access.h"

namespace symbolon::auth {
namespace {

using directory::pb::AttributeSchema;
using directory::pb::ClientRecord;
using directory::pb::PoolRecord;
using directory::pb::UserRecord;

constexpr std::size_t kNumberDigitsMax = 18;

auto Invalid(std::string message) { return Err(AttributeError{AttributeErrorCode::kInvalid, std::move(message)}); }

// What is wrong with several attributes at once, in one message, a line each.
class SchemaBreaches {
 public:
  void Add(std::string_view attribute, std::string_view reason) {
    lines_ += fmt::format("{}: {}\n", attribute, reason);
  }
  AttributeResult<void> Outcome() const {
    if (lines_.empty()) return {};
    return Invalid("Attributes did not conform to the schema: " + lines_);
  }

 private:
  std::string lines_;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool AreDigits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, IsDigit); }

std::int64_t ToInteger(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::size_t CountCharacters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

const AttributeSchema* FindSchema(const PoolRecord& pool, std::string_view name) {
  const auto found = std::ranges::find(pool.schema(), name, &AttributeSchema::name);
  return found == pool.schema().end() ? nullptr : &*found;
}

std::optional<std::string> StringBreach(const AttributeSchema& schema, std::string_view value) {
  const std::size_t length = CountCharacters(value);
  if (schema.has_min_length() && length < static_cast<std::size_t>(ToInteger(schema.min_length())))
    return fmt::format("String must be at least {} characters", schema.min_length());
  if (schema.has_max_length() && length > static_cast<std::size_t>(ToInteger(schema.max_length())))
    return fmt::format("String must be no longer than {} characters", schema.max_length());
  return std::nullopt;
}

std::optional<std::string> NumberBreach(const AttributeSchema& schema, std::string_view value) {
  const bool negative = value.starts_with('-');
  const std::string_view magnitude = value.substr(negative ? 1 : 0);
  const std::size_t point = magnitude.find('.');
  const std::string_view whole = magnitude.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? "0" : magnitude.substr(point + 1);
  if (!AreDigits(whole) || !AreDigits(fraction) || whole.size() > kNumberDigitsMax ||
      fraction.size() > kNumberDigitsMax) {
    return "Number expected";
  }
  const std::int64_t truncated = negative ? -ToInteger(whole) : ToInteger(whole);
  const bool has_rest = fraction.find_first_not_of('0') != std::string_view::npos;
  const auto is_below = [&](std::int64_t bound) {
    return truncated < bound || (truncated == bound && negative && has_rest);
  };
  const auto is_above = [&](std::int64_t bound) {
    return truncated > bound || (truncated == bound && !negative && has_rest);
  };
  if (schema.has_min_value() && is_below(ToInteger(schema.min_value())))
    return fmt::format("Number must be at least {}", schema.min_value());
  if (schema.has_max_value() && is_above(ToInteger(schema.max_value())))
    return fmt::format("Number must be no more than {}", schema.max_value());
  return std::nullopt;
}

// ISO 8601: "2026-11-03", "2026-11-03T09:05:07Z", "2026-11-03T09:05:07.125+01:00".
bool IsDateTime(std::string_view text) {
  const auto matches = [](std::string_view part, std::string_view form) {
    return part.size() == form.size() && std::ranges::equal(part, form, [](char c, char expected) {
             return expected == '0' ? IsDigit(c) : c == expected;
           });
  };
  if (!matches(text.substr(0, 10), "0000-00-00")) return false;
  const std::int64_t month = ToInteger(text.substr(5, 2));
  const std::int64_t day = ToInteger(text.substr(8, 2));
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (text.size() == 10) return true;
  if (!matches(text.substr(10, 9), "T00:00:00")) return false;
  if (ToInteger(text.substr(11, 2)) > 23 || ToInteger(text.substr(14, 2)) > 59 || ToInteger(text.substr(17, 2)) > 60) {
    return false;
  }
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end == 1 || end > 10) return false;
    rest.remove_prefix(end);
  }
  return rest == "Z" || matches(rest, "+00:00") || matches(rest, "-00:00");
}

// As it is stored: booleans in lower case.
std::optional<std::string> ParseBoolean(std::string_view value) {
  for (std::string_view word : {"true", "false"}) {
    if (std::ranges::equal(value, word, {},
                           [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); }))
      return std::string(word);
  }
  return std::nullopt;
}

AttributeResult<std::string> CheckValue(const AttributeSchema& schema, const std::string& value,
                                        SchemaBreaches& breaches) {
  if (schema.name() == "email" && !IsEmailAddress(value)) return Invalid("Invalid email address format.");
  if (schema.name() == "phone_number" && !IsPhoneNumber(value)) return Invalid("Invalid phone number format.");
  std::optional<std::string> breach;
  if (schema.data_type() == "String") {
    breach = StringBreach(schema, value);
  } else if (schema.data_type() == "Number") {
    breach = NumberBreach(schema, value);
  } else if (schema.data_type() == "DateTime") {
    if (!IsDateTime(value)) breach = "Date and time of ISO 8601 expected";
  } else if (schema.data_type() == "Boolean") {
    if (auto boolean = ParseBoolean(value)) return *std::move(boolean);
    breach = "true or false expected";
  }
  if (breach) breaches.Add(schema.name(), *breach);
  return value;
}

AttributeResult<void> CheckWriter(const ClientRecord* client, const AttributeValues& values) {
  if (client == nullptr) return {};
  for (const auto& [name, value] : values) {
    if (!ClientMayWrite(*client, name)) {
      return Err(
          AttributeError{AttributeErrorCode::kUnauthorized, "A client attempted to write unauthorized attribute"});
    }
  }
  return {};
}

// Attributes that nobody sets by hand.
bool IsAssigned(std::string_view name) { return name == "sub" || name == "identities"; }

auto CannotBeUpdated(std::string_view name) {
  return Invalid(fmt::format("user.{}: Attribute cannot be updated.\n", name));
}

// A flag speaks of an address: `has` tells which ones there are after the write.
template <class Has>
AttributeResult<void> CheckVerifiedFlags(const AttributeValues& values, Has has) {
  const auto is_set = [&](const char* flag) {
    const auto found = values.find(flag);
    return found != values.end() && !found->second.empty();
  };
  if (is_set("email_verified") && !has("email")) return Invalid("Email is required to verify/un-verify an email");
  if (is_set("phone_number_verified") && !has("phone_number"))
    return Invalid("Phone Number is required to verify/un-verify a phone number");
  return {};
}

}  // namespace

bool IsEmailAddress(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0) return false;
  const bool foreign = std::ranges::any_of(text, [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet <= ' ' || octet == 0x7f || std::string_view("()<>,;:\\\"[]").find(c) != std::string_view::npos;
  });
  const std::string_view domain = text.substr(at + 1);
  return !foreign && domain.find('@') == std::string_view::npos && domain.find('.') != std::string_view::npos &&
         !domain.starts_with('.') && !domain.ends_with('.') && domain.find("..") == std::string_view::npos;
}

bool IsPhoneNumber(std::string_view text) {
  return text.size() >= 3 && text.size() <= 16 && text[0] == '+' && text[1] != '0' && AreDigits(text.substr(1));
}

AttributeResult<AttributeValues> CheckNewAttributes(const PoolRecord& pool, const ClientRecord* client,
                                                    const AttributeValues& values) {
  SYMBOLON_TRY_VOID(CheckWriter(client, values));
  SchemaBreaches breaches;
  AttributeValues stored;
  for (const auto& [name, value] : values) {
    if (IsAssigned(name)) return CannotBeUpdated(name);
    const AttributeSchema* schema = FindSchema(pool, name);
    if (schema == nullptr) {
      breaches.Add(name, "Attribute does not exist in the schema.");
    } else if (!value.empty()) {
      SYMBOLON_TRY(stored[name], CheckValue(*schema, value, breaches));
    }
  }
  if (client != nullptr) {
    for (const AttributeSchema& schema : pool.schema()) {
      if (schema.required() && !IsAssigned(schema.name()) && !stored.contains(schema.name()))
        breaches.Add(schema.name(), "The attribute is required");
    }
  }
  SYMBOLON_TRY_VOID(breaches.Outcome());
  SYMBOLON_TRY_VOID(CheckVerifiedFlags(stored, [&](const char* name) { return stored.contains(name); }));
  return stored;
}

AttributeResult<AttributeValues> CheckAttributeChanges(const PoolRecord& pool, const ClientRecord* client,
                                                       const UserRecord& user, const AttributeValues& changes) {
  SYMBOLON_TRY_VOID(CheckWriter(client, changes));
  SchemaBreaches breaches;
  AttributeValues stored;
  for (const auto& [name, value] : changes) {
    if (IsAssigned(name)) return CannotBeUpdated(name);
    const AttributeSchema* schema = FindSchema(pool, name);
    if (schema == nullptr) {
      breaches.Add(name, "Attribute does not exist in the schema.");
      continue;
    }
    const auto current = user.attributes().find(name);
    const bool same = current == user.attributes().end() ? value.empty() : value == current->second;
    if (!schema->mutable_() && !same) return CannotBeUpdated(name);
    if (!value.empty()) {
      SYMBOLON_TRY(stored[name], CheckValue(*schema, value, breaches));
    } else if (schema->required()) {
      breaches.Add(name, "The attribute is required");
    } else {
      stored[name].clear();
    }
  }
  SYMBOLON_TRY_VOID(breaches.Outcome());
  const auto has_afterwards = [&](const std::string& name) {
    const auto change = stored.find(name);
    return change == stored.end() ? user.attributes().contains(name) : !change->second.empty();
  };
  SYMBOLON_TRY_VOID(CheckVerifiedFlags(stored, has_afterwards));
  if (!pool.username_attributes().empty() && !user.has_external() &&
      std::ranges::none_of(pool.username_attributes(), has_afterwards)) {
    return Invalid("A user must keep an attribute to sign in with.");
  }
  return stored;
}

}  // namespace symbolon::auth
