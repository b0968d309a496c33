// A policy in AWS's language ("Grammar of the IAM JSON policy language", AWS IAM User Guide), parsed and checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/condition.h"
#include "policy/context.h"
#include "policy/pattern.h"
#include "policy/principal.h"
#include "policy/vocabulary.h"

namespace symbolon::policy {

// For whoever wrote the policy.
struct PolicyError {
  std::string message;
};

template <class T>
using PolicyResult = Result<T, PolicyError>;

enum class DocumentKind {
  kIdentity,  // of a user: says nothing of principals
  kResource,  // of a key: every statement says whom it is about
};

enum class Effect { kAllow, kDeny };

// One who asks for something.
struct Request {
  const Principal& principal;
  // "kms:Decrypt"
  std::string_view action;
  // An ARN, or "*" for what concerns no resource.
  std::string_view resource;
  const Context& context;
};

// Immutable and thread-safe.
class Statement {
 public:
  Effect effect() const { return effect_; }
  // Whether it is about this request; kAccount: only because the user's account is named.
  PrincipalPattern::Match Matches(const Request& request) const;

 private:
  friend class StatementParser;

  PrincipalPattern::Match MatchesPrincipal(const Principal& principal) const;

  Effect effect_ = Effect::kDeny;
  // Of resource policies.
  bool names_principals_ = false;
  bool not_principal_ = false;
  std::vector<PrincipalPattern> principals_;
  bool not_action_ = false;
  std::vector<Pattern> actions_;
  bool not_resource_ = false;
  std::vector<Pattern> resources_;
  std::vector<Condition> conditions_;
};

// Immutable and thread-safe.
class Document {
 public:
  static constexpr std::size_t kBytesMax = 32'768;
  static constexpr std::size_t kStatementsMax = 256;

  // Refuses whatever it does not know: a policy is obeyed as it is written, or not taken.
  static PolicyResult<Document> Parse(std::string_view json, DocumentKind kind, const Vocabulary& vocabulary);

  const std::vector<Statement>& statements() const { return statements_; }

 private:
  std::vector<Statement> statements_;
};

}  // namespace symbolon::policy
