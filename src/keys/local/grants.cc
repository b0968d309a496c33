// Grants are kept here; whom they allow what is the policy's matter.
#include <algorithm>

#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

constexpr std::size_t kGrantIdOctets = 32;

bool IsSameRequest(const Grant& kept, const Grant& asked) {
  Grant compared = kept;
  compared.id = asked.id;
  compared.created = asked.created;
  return compared == asked;
}

}  // namespace

LocalKeyResult<Grant> LocalKeyProvider::CreateGrant(std::string_view key, Grant grant) {
  grant.id.clear();
  grant.created = {};
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  SYMBOLON_TRY_VOID(state_->CheckState(found->facts, {.updating = true}));
  const auto same = [&](const Grant& kept) { return !grant.name.empty() && IsSameRequest(kept, grant); };
  if (const auto kept = std::ranges::find_if(found->facts.grants, same); kept != found->facts.grants.end())
    return *kept;

  Grant made = grant;
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(state_->CheckState(changed.facts, {.updating = true}));
    auto& grants = changed.facts.grants;
    if (const auto kept = std::ranges::find_if(grants, same); kept != grants.end()) {
      made = *kept;
      return {};
    }
    if (grants.size() >= kGrantsPerKeyMax) return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many grants"));
    made.id = HexEncode(state_->random.Octets(kGrantIdOctets));
    made.created = state_->now();
    grants.insert(std::ranges::upper_bound(grants, made.id, {}, &Grant::id), made);
    return {};
  }));
  return made;
}

LocalKeyResult<void> LocalKeyProvider::RemoveGrant(std::string_view key, std::string_view grant_id) {
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    if (std::erase_if(changed.facts.grants, [&](const Grant& grant) { return grant.id == grant_id; }) == 0) {
      return Err(Error(LocalKeyErrorCode::kNoSuchGrant, std::string(grant_id)));
    }
    return {};
  }));
  return {};
}

std::vector<LocalKeyProvider::GrantOnKey> LocalKeyProvider::GrantsRetirableBy(std::string_view principal) {
  const auto all = state_->Current();
  std::vector<GrantOnKey> grants;
  for (const auto& [id, key] : all->keys) {
    for (const Grant& grant : key->facts.grants) {
      if (grant.retiring == principal) grants.push_back({.key_arn = key->facts.arn, .grant = grant});
    }
  }
  return grants;
}

}  // namespace symbolon::keys::local
