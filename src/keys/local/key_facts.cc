#include "keys/local/key_facts.h"

#include <algorithm>

#include "policy/pool_key_policy.h"

namespace symbolon::keys::local {
namespace {

bool IsThere(const MaterialFacts& material, Timestamp now) {
  return material.present && (!material.valid_to || now < *material.valid_to);
}

}  // namespace

const MaterialFacts* KeyFacts::material(std::uint32_t version) const {
  const auto found = std::ranges::find(materials, version, &MaterialFacts::version);
  return found == materials.end() ? nullptr : &*found;
}

const MaterialFacts* KeyFacts::current() const { return material(current_version); }

KeyState StateAt(const KeyFacts& key, Timestamp now) {
  if (key.deletion) return KeyState::kPendingDeletion;
  if (key.deletion_window_days > 0) return KeyState::kPendingReplicaDeletion;
  // What waits for its rotation need not be there.
  const bool whole = std::ranges::all_of(key.materials, [&](const MaterialFacts& material) {
    return material.version > key.current_version || IsThere(material, now);
  });
  if (key.current_version == 0 || !whole) return KeyState::kPendingImport;
  if (key.disabled) return KeyState::kDisabled;
  return key.handed_to.empty() ? KeyState::kEnabled : KeyState::kUpdating;
}

KeyDescription DescriptionAt(const KeyFacts& key, Timestamp now) {
  return {.arn = key.arn,
          .id = key.id,
          .description = key.description,
          .state = StateAt(key, now),
          .created = key.created,
          .service_owned = key.service_owned,
          .multi_region = key.multi_region,
          .primary = key.primary,
          .replicas = key.replicas};
}

std::string DefaultKeyPolicy(const std::string& account) { return policy::PoolKeyPolicy(account); }

}  // namespace symbolon::keys::local
