#include "policy/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/value.hpp>
#include <functional>
#include <set>

#include "policy/json.h"

namespace symbolon::policy {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kValuesMax = 512;
constexpr std::size_t kSidBytesMax = 128;
constexpr std::size_t kConditionsMax = 64;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

// A text, or a list of one or more texts.
Result<std::vector<std::string>, std::string> Texts(const json::value& value) {
  std::vector<std::string> texts;
  if (value.is_string()) {
    texts.emplace_back(View(value.get_string()));
  } else if (const auto* list = value.if_array()) {
    for (const json::value& element : *list) {
      if (element.is_string()) texts.emplace_back(View(element.get_string()));
    }
    if (texts.size() != list->size()) return Err(std::string("must be a text or a list of texts"));
  } else {
    return Err(std::string("must be a text or a list of texts"));
  }
  if (texts.empty() || texts.size() > kValuesMax) return Err(fmt::format("must name 1 to {}", kValuesMax));
  return texts;
}

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

// Of one statement; errors are completed by who knows which one it is.
class StatementParser {
 public:
  StatementParser(DocumentKind kind, const Vocabulary& vocabulary, bool variables, std::set<std::string>& sids)
      : kind_(kind), vocabulary_(vocabulary), variables_(variables), sids_(sids) {}

  Result<Statement, std::string> Parse(const json::value& value) {
    const auto* const object = value.if_object();
    if (object == nullptr) return Err(std::string("must be an object"));
    for (const auto& [name, member] : *object) {
      auto read = ReadMember(std::string_view(name.data(), name.size()), member);
      if (!read) return Err(fmt::format("{} {}", std::string_view(name.data(), name.size()), read.error()));
    }
    if (!has_effect_) return Err(std::string("has no Effect"));
    if (statement_.actions_.empty()) return Err(std::string("has neither Action nor NotAction"));
    if (statement_.resources_.empty()) return Err(std::string("has neither Resource nor NotResource"));
    const bool of_resource = kind_ == DocumentKind::kResource;
    if (of_resource && !statement_.names_principals_) return Err(std::string("has neither Principal nor NotPrincipal"));
    if (!of_resource && statement_.names_principals_) {
      return Err(std::string("names a Principal, which is the user whose policy this is"));
    }
    if (statement_.not_principal_ && statement_.effect_ == Effect::kAllow) {
      return Err(std::string("allows by NotPrincipal: this is taken with the Effect Deny only"));
    }
    return std::move(statement_);
  }

 private:
  using Read = Result<void, std::string>;

  Read ReadMember(std::string_view name, const json::value& value) {
    if (name == "Sid") return ReadSid(value);
    if (name == "Effect") return ReadEffect(value);
    if (name == "Principal") return ReadPrincipals(value, false);
    if (name == "NotPrincipal") return ReadPrincipals(value, true);
    if (name == "Action") return ReadActions(value, false);
    if (name == "NotAction") return ReadActions(value, true);
    if (name == "Resource") return ReadResources(value, false);
    if (name == "NotResource") return ReadResources(value, true);
    if (name == "Condition") return ReadConditions(value);
    return Err(std::string("is no element of a statement"));
  }

  Read ReadSid(const json::value& value) {
    if (!value.is_string()) return Err(std::string("must be a text"));
    const std::string_view sid = View(value.get_string());
    if (sid.size() > kSidBytesMax || !IsPrintable(sid)) {
      return Err(fmt::format("must be a text of at most {} printable characters", kSidBytesMax));
    }
    if (!sid.empty() && !sids_.emplace(sid).second) return Err(std::string("is that of another statement, too"));
    return {};
  }

  Read ReadEffect(const json::value& value) {
    has_effect_ = true;
    if (value == "Allow") {
      statement_.effect_ = Effect::kAllow;
    } else if (value != "Deny") {
      return Err(std::string("must be Allow or Deny"));
    }
    return {};
  }

  Read ReadPrincipals(const json::value& value, bool negated) {
    if (statement_.names_principals_) return Err(std::string("stands beside its opposite"));
    statement_.names_principals_ = true;
    statement_.not_principal_ = negated;
    if (value == "*") {
      statement_.principals_.push_back(PrincipalPattern::Everybody());
      return {};
    }
    const auto* const object = value.if_object();
    if (object == nullptr || object->empty()) return Err(std::string("must be \"*\" or an object"));
    for (const auto& [name, members] : *object) {
      const bool aws = name == "AWS";
      if (!aws && name != "Service") {
        return Err(fmt::format("has \"{}\": AWS and Service are known here", std::string_view(name)));
      }
      SYMBOLON_TRY(const auto texts, Texts(members));
      for (const std::string& text : texts) {
        const auto pattern = aws ? PrincipalPattern::OfAws(text) : PrincipalPattern::OfService(text);
        if (!pattern) return Err(fmt::format("has the invalid principal \"{}\"", text));
        statement_.principals_.push_back(*pattern);
      }
    }
    return {};
  }

  Read ReadActions(const json::value& value, bool negated) {
    if (!statement_.actions_.empty()) return Err(std::string("stands beside its opposite"));
    statement_.not_action_ = negated;
    SYMBOLON_TRY(const auto texts, Texts(value));
    for (const std::string& text : texts) {
      if (text.size() > Pattern::kBytesMax || !vocabulary_.NamesAction(text)) {
        return Err(fmt::format("\"{}\" is no action that is known here", text.substr(0, kSidBytesMax)));
      }
      statement_.actions_.push_back(Pattern::OfAction(text));
    }
    return {};
  }

  Read ReadResources(const json::value& value, bool negated) {
    if (!statement_.resources_.empty()) return Err(std::string("stands beside its opposite"));
    statement_.not_resource_ = negated;
    SYMBOLON_TRY(const auto texts, Texts(value));
    for (const std::string& text : texts) {
      if (text != "*" && !ArnPattern::Parse(text, variables_)) {
        return Err(fmt::format("\"{}\" is no ARN", text.substr(0, kSidBytesMax)));
      }
      auto pattern = Pattern::Parse(text, {.variables = variables_});
      if (!pattern) return Err(fmt::format("\"{}\" {}", text.substr(0, kSidBytesMax), pattern.error()));
      statement_.resources_.push_back(*std::move(pattern));
    }
    return {};
  }

  Read ReadConditions(const json::value& value) {
    const auto* const operators = value.if_object();
    if (operators == nullptr) return Err(std::string("must be an object"));
    for (const auto& [name, keys] : *operators) {
      const auto* const compared = keys.if_object();
      if (compared == nullptr || compared->empty()) {
        return Err(fmt::format("has \"{}\", which must be an object of keys and values", std::string_view(name)));
      }
      for (const auto& [key, values] : *compared) {
        auto condition = Condition::Parse(name, key, values, variables_);
        if (!condition) return Err(fmt::format("is wrong: {}", condition.error()));
        statement_.conditions_.push_back(*std::move(condition));
      }
    }
    if (statement_.conditions_.size() > kConditionsMax) {
      return Err(fmt::format("has more than {} comparisons", kConditionsMax));
    }
    return {};
  }

  const DocumentKind kind_;
  const Vocabulary& vocabulary_;
  const bool variables_;
  std::set<std::string>& sids_;
  Statement statement_;
  bool has_effect_ = false;
};

PolicyResult<Document> Document::Parse(std::string_view text, DocumentKind kind, const Vocabulary& vocabulary) {
  const auto refuse = [](std::string why) { return Err(PolicyError{std::move(why)}); };
  if (text.size() > kBytesMax) return refuse(fmt::format("The policy is larger than {} octets.", kBytesMax));
  const auto root = ParseJson(text, kDepthMax);
  if (!root) return refuse(fmt::format("The policy is refused: {}.", root.error()));
  const auto* const object = root->if_object();
  if (object == nullptr) return refuse("The policy must be a JSON object.");

  bool variables = false;
  const json::value* statements = nullptr;
  for (const auto& [name, value] : *object) {
    if (name == "Version") {
      variables = value == "2012-10-17";
      if (!variables && value != "2008-10-17") return refuse("Version must be 2012-10-17 or 2008-10-17.");
    } else if (name == "Id") {
      if (!value.is_string() || value.get_string().size() > kSidBytesMax || !IsPrintable(View(value.get_string()))) {
        return refuse(fmt::format("Id must be a text of at most {} printable characters.", kSidBytesMax));
      }
    } else if (name == "Statement") {
      statements = &value;
    } else {
      return refuse(fmt::format("\"{}\" is no element of a policy.", std::string_view(name)));
    }
  }
  if (statements == nullptr) return refuse("The policy has no Statement.");

  const auto* const list = statements->if_array();
  const std::size_t count = list == nullptr ? 1 : list->size();
  if (count == 0 || count > kStatementsMax) {
    return refuse(fmt::format("The policy must have 1 to {} statements.", kStatementsMax));
  }
  Document document;
  std::set<std::string> sids;
  for (std::size_t i = 0; i < count; ++i) {
    auto statement =
        StatementParser(kind, vocabulary, variables, sids).Parse(list == nullptr ? *statements : (*list)[i]);
    if (!statement) return refuse(fmt::format("Statement {}: {}.", i + 1, statement.error()));
    document.statements_.push_back(*std::move(statement));
  }
  return document;
}

PrincipalPattern::Match Statement::MatchesPrincipal(const Principal& principal) const {
  using Match = PrincipalPattern::Match;
  if (!names_principals_) return Match::kItself;
  Match best = Match::kNone;
  for (const PrincipalPattern& pattern : principals_) best = std::max(best, pattern.Matches(principal));
  // To be spared one has to be named oneself.
  if (not_principal_) return best == Match::kItself ? Match::kNone : Match::kItself;
  return best;
}

PrincipalPattern::Match Statement::Matches(const Request& request) const {
  using Match = PrincipalPattern::Match;
  const Match principal = MatchesPrincipal(request.principal);
  if (principal == Match::kNone) return Match::kNone;
  const bool action =
      std::ranges::any_of(actions_, [&](const Pattern& pattern) { return pattern.Matches(request.action); });
  if (action == not_action_) return Match::kNone;
  const auto resource_matches = [&](const Pattern& pattern) {
    return pattern.Matches(request.resource, request.context);
  };
  if (std::ranges::any_of(resources_, resource_matches) == not_resource_) return Match::kNone;
  const bool strict = effect_ == Effect::kAllow;
  const auto holds = [&](const Condition& condition) { return condition.Holds(request.context, strict); };
  return std::ranges::all_of(conditions_, holds) ? principal : Match::kNone;
}

}  // namespace symbolon::policy
