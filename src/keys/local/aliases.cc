// Names for keys, one Region's own.
#include <algorithm>

#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

LocalKeyError NoAlias(std::string_view name) {
  return Error(LocalKeyErrorCode::kNotFound, "no alias " + std::string(name));
}

bool IsFull(const Contents& all, const std::string& key_id) {
  const auto count = std::ranges::count(all.aliases, key_id, [](const auto& entry) { return entry.second.key_id; });
  return count >= static_cast<std::ptrdiff_t>(LocalKeyProvider::kAliasesPerKeyMax);
}

}  // namespace

LocalKeyResult<void> LocalKeyProvider::CreateAlias(std::string_view name, std::string_view key) {
  return state_->Change([&](Contents& all) -> LocalKeyResult<void> {
    if (all.aliases.contains(name)) return Err(Error(LocalKeyErrorCode::kAlreadyExists, std::string(name)));
    const KeyPointer target = State::FindIn(all, *state_, key);
    if (target == nullptr || target->facts.service_owned)
      return Err(Error(LocalKeyErrorCode::kNotFound, "no such key"));
    SYMBOLON_TRY_VOID(state_->CheckState(target->facts, {.disabled = true, .pending_import = true, .updating = true}));
    if (IsFull(all, target->facts.id)) return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many aliases"));
    const Timestamp now = state_->now();
    all.aliases.emplace(std::string(name),
                        Alias{.name = std::string(name), .key_id = target->facts.id, .created = now, .updated = now});
    return {};
  });
}

LocalKeyResult<void> LocalKeyProvider::UpdateAlias(std::string_view name, std::string_view key) {
  return state_->Change([&](Contents& all) -> LocalKeyResult<void> {
    const auto alias = all.aliases.find(name);
    if (alias == all.aliases.end()) return Err(NoAlias(name));
    const KeyPointer target = State::FindIn(all, *state_, key);
    if (target == nullptr || target->facts.service_owned)
      return Err(Error(LocalKeyErrorCode::kNotFound, "no such key"));
    SYMBOLON_TRY_VOID(state_->CheckState(target->facts, {.disabled = true, .pending_import = true, .updating = true}));
    if (alias->second.key_id != target->facts.id && IsFull(all, target->facts.id)) {
      return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many aliases"));
    }
    alias->second.key_id = target->facts.id;
    alias->second.updated = state_->now();
    return {};
  });
}

LocalKeyResult<void> LocalKeyProvider::DeleteAlias(std::string_view name) {
  return state_->Change([&](Contents& all) -> LocalKeyResult<void> {
    const auto alias = all.aliases.find(name);
    if (alias == all.aliases.end()) return Err(NoAlias(name));
    all.aliases.erase(alias);
    return {};
  });
}

LocalKeyResult<std::string> LocalKeyProvider::TargetOf(std::string_view name) {
  const auto all = state_->Current();
  const auto alias = all->aliases.find(name);
  if (alias == all->aliases.end()) return Err(NoAlias(name));
  return alias->second.key_id;
}

std::vector<Alias> LocalKeyProvider::Aliases() {
  const auto all = state_->Current();
  std::vector<Alias> aliases;
  for (const auto& [name, alias] : all->aliases) aliases.push_back(alias);
  return aliases;
}

}  // namespace symbolon::keys::local
