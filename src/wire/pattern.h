// The API's regular expressions: full matches with the meaning that Java gives them, over UTF-8.
//
// Most values are ASCII and most patterns are a row of character classes, so those are matched by a bit-parallel
// automaton made at compile time, in time linear in the text. Everything else goes to ICU, compiled once per pattern at
// its first use.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace symbolon::wire {

// One position of a row: a class of ASCII characters and how often it may come.
struct PatternElement {
  // Bit c % 64 of bits[c / 64]: character c belongs to the class.
  std::uint64_t bits[2];
  bool optional = false;
  bool repeats = false;
};

// A row of at most 63 elements as an automaton: state i = "what stands before element i is matched".
struct PatternRow {
  // For every ASCII character the elements that take it.
  std::array<std::uint64_t, 128> takers{};
  std::uint64_t optional = 0;
  std::uint64_t repeats = 0;
  std::uint64_t accept = 0;

  constexpr PatternRow(std::initializer_list<PatternElement> elements) {
    std::uint64_t bit = 1;
    for (const PatternElement& element : elements) {
      for (unsigned c = 0; c < 128; ++c) {
        if (element.bits[c / 64] >> (c % 64) & 1) takers[c] |= bit;
      }
      if (element.optional) optional |= bit;
      if (element.repeats) repeats |= bit;
      bit <<= 1;
    }
    accept = bit;
  }
};

// Thread-safe. A constant of the generated tables: what it compiled lives as long as the process.
class Pattern {
 public:
  // `text` is the expression as the API has it (for messages), `icu` the same in ICU's syntax. `row` may be nullptr.
  // `ascii_only`: no other character can match.
  constexpr Pattern(std::string_view text, std::string_view icu, const PatternRow* row, bool ascii_only)
      : text_(text), icu_(icu), row_(row), ascii_only_(ascii_only) {}
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  // Whether all of `value`, which is valid UTF-8, matches. A value on which ICU gives up (its step limit) does not.
  bool Matches(std::string_view value) const;
  std::string_view text() const { return text_; }
  std::string_view icu() const { return icu_; }

 private:
  bool MatchesByIcu(std::string_view value) const;

  std::string_view text_;
  std::string_view icu_;
  const PatternRow* row_;
  bool ascii_only_;
  // An icu::RegexPattern, once it is compiled.
  mutable std::atomic<const void*> compiled_ = nullptr;
};

}  // namespace symbolon::wire
