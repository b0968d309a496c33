#include "policy/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/vocabulary.h"

namespace symbolon::policy {
namespace {

constexpr std::uint16_t kOne = 256;
constexpr std::uint16_t kMany = 257;
constexpr std::size_t kArnParts = 6;

unsigned char Lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c - 'A' + 'a') : c; }

// Of UTF-8: not the first octet of a character.
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The first five colons part an ARN, those within ${} apart.
std::vector<std::string_view> SplitArn(std::string_view arn, bool variables) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool in_variable = false;
  for (std::size_t i = 0; i < arn.size() && parts.size() < kArnParts - 1; ++i) {
    if (variables && arn.substr(i).starts_with("${")) in_variable = true;
    if (in_variable) {
      in_variable = arn[i] != '}';
    } else if (arn[i] == ':') {
      parts.push_back(arn.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(arn.substr(start));
  return parts;
}

}  // namespace

Result<Pattern, std::string> Pattern::Parse(std::string_view text, Options options) {
  if (text.size() > kBytesMax) return Err(fmt::format("is longer than {} octets", kBytesMax));
  Pattern pattern;
  pattern.ignores_case_ = options.ignores_case;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (options.variables && text.substr(i).starts_with("${")) {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos) return Err(std::string("has a ${ without }"));
      SYMBOLON_TRY_VOID(pattern.AddVariable(text.substr(i + 2, end - i - 2)));
      i = end;
    } else if (options.wildcards && text[i] == '?') {
      pattern.tokens_.push_back(kOne);
    } else if (options.wildcards && text[i] == '*') {
      if (pattern.tokens_.empty() || pattern.tokens_.back() != kMany) pattern.tokens_.push_back(kMany);
    } else {
      pattern.AddText(text.substr(i, 1), pattern.tokens_);
    }
  }
  return pattern;
}

Pattern Pattern::OfAction(std::string_view text) { return *Parse(text.substr(0, kBytesMax), {.ignores_case = true}); }

Result<void, std::string> Pattern::AddVariable(std::string_view text) {
  if (text == "*" || text == "?" || text == "$") {
    AddText(text, tokens_);
    return {};
  }
  Variable variable{.place = tokens_.size(), .key = LowerCase(text.substr(0, text.find(','))), .otherwise = {}};
  if (const std::size_t comma = text.find(','); comma != std::string_view::npos) {
    const std::size_t start = text.find_first_not_of(' ', comma + 1);
    const std::string_view quoted = start == std::string_view::npos ? "" : text.substr(start);
    if (quoted.size() < 2 || !quoted.starts_with('\'') || !quoted.ends_with('\'')) {
      return Err(fmt::format("has the variable ${{{}}}, whose default is not in single quotes", text));
    }
    variable.otherwise = quoted.substr(1, quoted.size() - 2);
  }
  const auto key = FindContextKey(variable.key);
  if (!key) return Err(fmt::format("has the variable ${{{}}}, which is not known here", text));
  if (key->multivalued) return Err(fmt::format("has the variable ${{{}}}, which may have many values", text));
  variables_.push_back(std::move(variable));
  return {};
}

void Pattern::AddText(std::string_view text, std::vector<Token>& tokens) const {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    tokens.push_back(ignores_case_ ? Lower(octet) : octet);
  }
}

std::optional<std::vector<Pattern::Token>> Pattern::Resolve(const Context& context) const {
  std::vector<Token> tokens;
  std::size_t done = 0;
  for (const Variable& variable : variables_) {
    tokens.insert(tokens.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(done),
                  tokens_.begin() + static_cast<std::ptrdiff_t>(variable.place));
    done = variable.place;
    const auto* values = context.Find(variable.key);
    if (values != nullptr && values->size() == 1) {
      AddText(values->front(), tokens);
    } else if (values == nullptr && variable.otherwise) {
      AddText(*variable.otherwise, tokens);
    } else {
      return std::nullopt;
    }
  }
  tokens.insert(tokens.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(done), tokens_.end());
  return tokens;
}

bool Pattern::Matches(std::string_view subject, const Context& context) const {
  if (variables_.empty()) return MatchesTokens(tokens_, subject);
  const auto tokens = Resolve(context);
  return tokens && MatchesTokens(*tokens, subject);
}

bool Pattern::MatchesTokens(const std::vector<Token>& tokens, std::string_view subject) const {
  std::size_t t = 0;
  std::size_t s = 0;
  // After the last * that was met: the token behind it, and what it is tried on next.
  std::optional<std::size_t> retry_token;
  std::size_t retry_subject = 0;
  while (s < subject.size()) {
    const auto octet = static_cast<unsigned char>(subject[s]);
    if (t < tokens.size() && tokens[t] == kMany) {
      retry_token = ++t;
      retry_subject = s;
    } else if (t < tokens.size() && tokens[t] == kOne && !IsContinuation(subject[s])) {
      ++t;
      do ++s;
      while (s < subject.size() && IsContinuation(subject[s]));
    } else if (t < tokens.size() && tokens[t] == (ignores_case_ ? Lower(octet) : octet)) {
      ++t;
      ++s;
    } else if (retry_token) {
      t = *retry_token;
      s = ++retry_subject;
    } else {
      return false;
    }
  }
  while (t < tokens.size() && tokens[t] == kMany) ++t;
  return t == tokens.size();
}

Result<ArnPattern, std::string> ArnPattern::Parse(std::string_view text, bool variables) {
  ArnPattern arn;
  if (text == "*") return arn;
  const auto parts = SplitArn(text, variables);
  if (parts.size() != kArnParts || parts[0] != "arn") return Err(std::string("is no ARN"));
  for (const std::string_view part : parts) {
    SYMBOLON_TRY(Pattern pattern, Pattern::Parse(part, {.variables = variables}));
    arn.parts_.push_back(std::move(pattern));
  }
  return arn;
}

bool ArnPattern::Matches(std::string_view arn, const Context& context) const {
  if (parts_.empty()) return true;
  const auto parts = SplitArn(arn, /*variables=*/false);
  if (parts.size() != kArnParts) return false;
  for (std::size_t i = 0; i < kArnParts; ++i) {
    if (!parts_[i].Matches(parts[i], context)) return false;
  }
  return true;
}

bool ArnPattern::Resolves(const Context& context) const {
  return std::ranges::all_of(parts_, [&](const Pattern& part) { return part.Resolves(context); });
}

}  // namespace symbolon::policy
