#include "keys/access/key_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "policy/evaluate.h"

namespace symbolon::keys::access {
namespace {

constexpr std::string_view kActionPrefix = "kms:";

bool Names(const std::vector<std::string>& operations, std::string_view operation) {
  return std::ranges::find(operations, operation) != operations.end();
}

bool IsSubset(const EncryptionContext& part, const EncryptionContext& whole) {
  return std::ranges::all_of(part, [&](const auto& pair) {
    const auto found = whole.find(pair.first);
    return found != whole.end() && found->second == pair.second;
  });
}

bool ConstraintsHold(const local::GrantConstraints& constraints, const Question& question) {
  if (!constraints.source_arn.empty()) {
    const auto* const source = question.context.Find("aws:sourcearn");
    if (source == nullptr || source->size() != 1 || source->front() != constraints.source_arn) return false;
  }
  // They are about cryptography only.
  if (question.encryption_context == nullptr) return true;
  const EncryptionContext& context = *question.encryption_context;
  return (!constraints.context_subset || IsSubset(*constraints.context_subset, context)) &&
         (!constraints.context_equals || *constraints.context_equals == context);
}

// Whether `narrow` allows nothing that `wide` does not.
bool IsNoWider(const local::GrantConstraints& narrow, const local::GrantConstraints& wide) {
  if (!wide.source_arn.empty() && narrow.source_arn != wide.source_arn) return false;
  if (wide.context_equals && narrow.context_equals != wide.context_equals) return false;
  if (!wide.context_subset) return true;
  const auto& named = narrow.context_equals ? narrow.context_equals : narrow.context_subset;
  return named && IsSubset(*wide.context_subset, *named);
}

}  // namespace

void AddEncryptionContext(policy::Context& context, const EncryptionContext& encryption_context) {
  std::vector<std::string> names;
  for (const auto& [name, value] : encryption_context) {
    context.Add(fmt::format("kms:EncryptionContext:{}", name), value);
    names.push_back(name);
  }
  if (!names.empty()) context.SetAll("kms:EncryptionContextKeys", std::move(names));
}

bool IsGrantee(const local::Grant& grant, const policy::Principal& principal) {
  const bool is_service = principal.kind == policy::Principal::Kind::kService;
  return grant.grantee_is_service == is_service && grant.grantee == principal.ToString();
}

bool Grants(const local::Grant& grant, const Question& question) {
  if (!question.action.starts_with(kActionPrefix)) return false;
  const std::string_view operation = question.action.substr(kActionPrefix.size());
  if (!IsGrantee(grant, question.identity.principal)) return false;
  if (!Names(grant.operations, operation)) return false;
  if (!ConstraintsHold(grant.constraints, question)) return false;
  if (question.new_grant == nullptr) return true;
  const auto has = [&](const std::string& each) { return Names(grant.operations, each); };
  return std::ranges::all_of(question.new_grant->operations, has) &&
         IsNoWider(question.new_grant->constraints, grant.constraints);
}

policy::Outcome KeyAccess::Decide(const local::KeyFacts& key, const Question& question) {
  const auto document = PolicyOf(key);
  if (document == nullptr) return policy::Outcome::kNotAllowedByResourcePolicy;
  const bool granted =
      question.granted || std::ranges::any_of(key.grants, [&](const auto& grant) { return Grants(grant, question); });
  return policy::DecideByResource(*document, question.identity.policies,
                                  {.principal = question.identity.principal,
                                   .action = question.action,
                                   .resource = key.arn,
                                   .context = question.context},
                                  granted);
}

std::shared_ptr<const policy::Document> KeyAccess::PolicyOf(const local::KeyFacts& key) {
  {
    std::lock_guard guard(mutex_);
    const auto found = parsed_.find(key.id);
    // The same object as long as it is the same policy.
    if (found != parsed_.end() && found->second.text == key.policy) return found->second.document;
  }
  auto parsed = Parse(*key.policy);
  if (!parsed)
    log::Error("the policy of {} is not understood, so nobody may use it: {}", key.arn, parsed.error().message);
  auto document = parsed ? std::make_shared<const policy::Document>(*std::move(parsed)) : nullptr;
  std::lock_guard guard(mutex_);
  parsed_[key.id] = {.text = key.policy, .document = document};
  return document;
}

}  // namespace symbolon::keys::access
