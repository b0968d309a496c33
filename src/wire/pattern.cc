#include "wire/pattern.h"

#include <unicode/regex.h>

#include <memory>

#include "base/result.h"

namespace symbolon::wire {
namespace {

// ICU counts in units of 10,000 saved states. The longest member with a pattern (20,000 characters) needs a few passes
// over its text when it is honest.
constexpr std::int32_t kIcuTimeMax = 50;
constexpr std::int32_t kIcuStackBytesMax = 1 << 20;

enum class RowResult { kMatch, kNoMatch, kNotAscii };

RowResult MatchOne(const PatternRow& row, std::string_view value) {
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 128) return RowResult::kNotAscii;
    if (row.takers[octet] == 0) return RowResult::kNoMatch;
  }
  const bool length_fits = value.empty() ? row.optional != 0 : value.size() == 1 || row.repeats != 0;
  return length_fits ? RowResult::kMatch : RowResult::kNoMatch;
}

// Optional elements may be stepped over.
std::uint64_t Skip(std::uint64_t states, std::uint64_t optional) {
  while (true) {
    const std::uint64_t reached = states | (states & optional) << 1;
    if (reached == states) return states;
    states = reached;
  }
}

RowResult MatchRow(const PatternRow& row, std::string_view value) {
  if (row.accept == 2) return MatchOne(row, value);
  std::uint64_t states = Skip(1, row.optional);
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 128) return RowResult::kNotAscii;
    const std::uint64_t taken = states & row.takers[octet];
    states = Skip(taken << 1 | (taken & row.repeats), row.optional);
  }
  return (states & row.accept) != 0 ? RowResult::kMatch : RowResult::kNoMatch;
}

}  // namespace

bool Pattern::Matches(std::string_view value) const {
  if (row_ == nullptr) return MatchesByIcu(value);
  switch (MatchRow(*row_, value)) {
    case RowResult::kMatch:
      return true;
    case RowResult::kNoMatch:
      return false;
    case RowResult::kNotAscii:
      return !ascii_only_ && MatchesByIcu(value);
  }
  return false;
}

bool Pattern::MatchesByIcu(std::string_view value) const {
  UErrorCode error = U_ZERO_ERROR;
  auto* pattern = static_cast<const icu::RegexPattern*>(compiled_.load(std::memory_order_acquire));
  if (pattern == nullptr) {
    UParseError where;
    std::unique_ptr<icu::RegexPattern> fresh(icu::RegexPattern::compile(
        icu::UnicodeString::fromUTF8({icu_.data(), static_cast<std::int32_t>(icu_.size())}), 0, where, error));
    SYMBOLON_CHECK(U_SUCCESS(error));
    const void* expected = nullptr;
    // Whoever comes first wins; the other one's work is dropped.
    if (compiled_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) {
      pattern = fresh.release();
    } else {
      pattern = static_cast<const icu::RegexPattern*>(expected);
    }
  }
  const auto text = icu::UnicodeString::fromUTF8({value.data(), static_cast<std::int32_t>(value.size())});
  const std::unique_ptr<icu::RegexMatcher> matcher(pattern->matcher(text, error));
  if (U_FAILURE(error)) return false;
  matcher->setTimeLimit(kIcuTimeMax, error);
  matcher->setStackLimit(kIcuStackBytesMax, error);
  const bool matched = matcher->matches(error);
  return U_SUCCESS(error) && matched;
}

}  // namespace symbolon::wire
