#include "policy/vocabulary.h"

#include <algorithm>

#include "policy/context.h"
#include "policy/pattern.h"

namespace symbolon::policy {
namespace {

constexpr std::string_view kEncryptionContextPrefix = "kms:encryptioncontext:";

struct NamedKey {
  std::string_view name;  // in lower case
  ContextKey key;
};

constexpr NamedKey kKeys[] = {
    {"aws:currenttime", {KeyType::kDate}},
    {"aws:epochtime", {KeyType::kDate}},
    {"aws:principalaccount", {KeyType::kString}},
    {"aws:principalarn", {KeyType::kArn}},
    {"aws:principalisawsservice", {KeyType::kBool}},
    {"aws:principalservicename", {KeyType::kString}},
    {"aws:principaltype", {KeyType::kString}},
    {"aws:requestedregion", {KeyType::kString}},
    {"aws:securetransport", {KeyType::kBool}},
    {"aws:sourceaccount", {KeyType::kString}},
    {"aws:sourcearn", {KeyType::kArn}},
    {"aws:sourceip", {KeyType::kIpAddress}},
    {"aws:useragent", {KeyType::kString}},
    {"aws:username", {KeyType::kString}},
    {"aws:viaawsservice", {KeyType::kBool}},
    {"kms:bypasspolicylockoutsafetycheck", {KeyType::kBool}},
    {"kms:calleraccount", {KeyType::kString}},
    {"kms:encryptioncontextkeys", {KeyType::kString, true}},
    {"kms:grantconstrainttype", {KeyType::kString}},
    {"kms:granteeprincipal", {KeyType::kArn}},
    {"kms:grantisforawsresource", {KeyType::kBool}},
    {"kms:grantoperations", {KeyType::kString, true}},
    {"kms:keyorigin", {KeyType::kString}},
    {"kms:keyspec", {KeyType::kString}},
    {"kms:keyusage", {KeyType::kString}},
    {"kms:multiregion", {KeyType::kBool}},
    {"kms:replicaregion", {KeyType::kString}},
    {"kms:retiringprincipal", {KeyType::kArn}},
    {"kms:viaservice", {KeyType::kString}},
};

}  // namespace

Vocabulary::Vocabulary(std::map<std::string, std::vector<std::string>> actions) {
  for (const auto& [service, names] : actions) {
    for (const std::string& name : names) actions_.push_back(LowerCase(service + ":" + name));
  }
}

bool Vocabulary::NamesAction(std::string_view pattern) const {
  const Pattern compiled = Pattern::OfAction(pattern);
  return std::ranges::any_of(actions_, [&](const std::string& action) { return compiled.Matches(action); });
}

std::optional<ContextKey> FindContextKey(std::string_view name) {
  const std::string lower = LowerCase(name);
  if (lower.starts_with(kEncryptionContextPrefix) && lower.size() > kEncryptionContextPrefix.size()) {
    return ContextKey{KeyType::kString};
  }
  const auto* const found = std::ranges::find(kKeys, lower, &NamedKey::name);
  if (found == std::end(kKeys)) return std::nullopt;
  return found->key;
}

}  // namespace symbolon::policy
