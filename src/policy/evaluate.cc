#include "policy/evaluate.h"

#include <fmt/format.h>

namespace symbolon::policy {
namespace {

using Match = PrincipalPattern::Match;

struct Verdict {
  bool denied = false;
  // The best that an Allow says.
  Match allowed = Match::kNone;
};

void Judge(const Document& document, const Request& request, Verdict& verdict) {
  for (const Statement& statement : document.statements()) {
    const Match match = statement.Matches(request);
    if (match == Match::kNone) continue;
    if (statement.effect() == Effect::kDeny) {
      verdict.denied = true;
    } else {
      verdict.allowed = std::max(verdict.allowed, match);
    }
  }
}

}  // namespace

Outcome DecideByIdentity(const Documents& identity, const Request& request) {
  if (request.principal.kind == Principal::Kind::kRoot) return Outcome::kAllowed;
  Verdict verdict;
  for (const auto& document : identity) Judge(*document, request, verdict);
  if (verdict.denied) return Outcome::kDeniedByIdentityPolicy;
  return verdict.allowed == Match::kNone ? Outcome::kNotAllowedByIdentityPolicy : Outcome::kAllowed;
}

Outcome DecideByResource(const Document& resource, const Documents& identity, const Request& request, bool granted) {
  Verdict by_resource;
  Judge(resource, request, by_resource);
  const Outcome by_identity = DecideByIdentity(identity, request);
  if (by_resource.denied) return Outcome::kDeniedByResourcePolicy;
  if (by_identity == Outcome::kDeniedByIdentityPolicy) return by_identity;
  if (granted || by_resource.allowed == Match::kItself) return Outcome::kAllowed;
  return by_resource.allowed == Match::kAccount ? by_identity : Outcome::kNotAllowedByResourcePolicy;
}

std::string Refusal(const Request& request, Outcome outcome) {
  const auto why = [&]() -> std::string {
    switch (outcome) {
      case Outcome::kAllowed:
        return "";
      case Outcome::kDeniedByIdentityPolicy:
        return " with an explicit deny in an identity-based policy";
      case Outcome::kDeniedByResourcePolicy:
        return " with an explicit deny in a resource-based policy";
      case Outcome::kNotAllowedByIdentityPolicy:
        return fmt::format(" because no identity-based policy allows the {} action", request.action);
      case Outcome::kNotAllowedByResourcePolicy:
        return fmt::format(" because no resource-based policy allows the {} action", request.action);
    }
    return "";
  };
  return fmt::format("User: {} is not authorized to perform: {} on resource: {}{}", request.principal.ToString(),
                     request.action, request.resource, why());
}

}  // namespace symbolon::policy
