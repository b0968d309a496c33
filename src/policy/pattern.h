// Texts of policies with wildcards (* and ?) and variables (${aws:username}).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/context.h"

namespace symbolon::policy {

// Immutable and thread-safe. Matching takes time in proportion to the lengths' product at the worst, never more: it
// goes back to the last * only.
class Pattern {
 public:
  static constexpr std::size_t kBytesMax = 2048;

  struct Options {
    // * stands for any text, ? for one character.
    bool wildcards = true;
    // ${key} stands for the value of a context key, ${key, 'text'} for the text if the request has no such key; ${*},
    // ${?} and ${$} are those characters themselves.
    bool variables = false;
    // ASCII letters only.
    bool ignores_case = false;
  };

  // The error says what is wrong: too long, or a variable that is not well-formed, not known or has many values.
  static Result<Pattern, std::string> Parse(std::string_view text, Options options);
  // Names of actions: wildcards, without regard to case.
  static Pattern OfAction(std::string_view text);

  // Values of variables are taken literally. False if a variable has no value in this request.
  bool Matches(std::string_view subject, const Context& context) const;
  // Of a pattern without variables.
  bool Matches(std::string_view subject) const { return Matches(subject, Context()); }
  // Whether every variable has a value in this request.
  bool Resolves(const Context& context) const { return variables_.empty() || Resolve(context).has_value(); }

 private:
  // An octet, or one of the wildcards.
  using Token = std::uint16_t;
  struct Variable {
    std::size_t place;  // before the token of this index
    std::string key;    // in lower case
    std::optional<std::string> otherwise;
  };

  Result<void, std::string> AddVariable(std::string_view text);
  void AddText(std::string_view text, std::vector<Token>& tokens) const;
  // nullopt: a variable has no value.
  std::optional<std::vector<Token>> Resolve(const Context& context) const;
  bool MatchesTokens(const std::vector<Token>& tokens, std::string_view subject) const;

  bool ignores_case_ = false;
  std::vector<Token> tokens_;
  std::vector<Variable> variables_;
};

// An ARN, of whose six parts each is a pattern for itself; or "*".
class ArnPattern {
 public:
  static Result<ArnPattern, std::string> Parse(std::string_view text, bool variables);
  bool Matches(std::string_view arn, const Context& context) const;
  bool Resolves(const Context& context) const;

 private:
  // Empty for "*".
  std::vector<Pattern> parts_;
};

}  // namespace symbolon::policy
