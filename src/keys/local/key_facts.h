// What a local key is, beside its material. Plain values; the provider hands out immutable ones.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/provider.h"

namespace symbolon::keys::local {

enum class KeyOrigin { kAwsKms, kExternal };

using Tags = std::map<std::string, std::string>;

// One key material of a key.
struct MaterialFacts {
  std::uint32_t version = 0;  // from 1; named in ciphertexts
  // 64 hexadecimal digits, which follow from the material and the key's id: the same in every Region.
  std::string id;
  std::string description;
  // False: imported here before, and deleted or expired.
  bool present = true;
  std::optional<Timestamp> valid_to;
  // When it took over from the one before; unset for the first, and for one that has not taken over yet.
  std::optional<Timestamp> rotated;
  bool on_demand = false;  // the rotation to it
};

struct Rotation {
  static constexpr int kPeriodDaysDefault = 365;

  bool enabled = false;
  int period_days = kPeriodDaysDefault;
  // The period counts from here: switched on, or rotated by the schedule.
  Timestamp since{};
  int on_demand_count = 0;
  // A rotation is under way: the new material is there and waits until every replica has it.
  std::optional<Timestamp> started;

  Timestamp next() const { return since + std::chrono::days(period_days); }
};

struct GrantConstraints {
  std::optional<EncryptionContext> context_subset;
  std::optional<EncryptionContext> context_equals;
  std::string source_arn;  // empty: any

  bool operator==(const GrantConstraints&) const = default;
};

struct Grant {
  std::string id;  // 64 hexadecimal digits
  std::string name;
  Timestamp created{};
  std::string grantee;
  std::string retiring;  // empty: nobody
  // The names above are those of services.
  bool grantee_is_service = false;
  bool retiring_is_service = false;
  std::vector<std::string> operations;  // "Decrypt", …
  GrantConstraints constraints;

  bool operator==(const Grant&) const = default;
};

struct Alias {
  std::string name;  // "alias/…"
  std::string key_id;
  Timestamp created{};
  Timestamp updated{};
};

// The Regions of a multi-Region key share its id, origin, materials and rotation, as the primary has them; all else is
// each Region's own.
struct KeyFacts {
  std::string id;
  std::string arn;
  std::string description;
  Timestamp created{};
  KeyOrigin origin = KeyOrigin::kAwsKms;
  bool service_owned = false;
  bool multi_region = false;
  Region primary;                // empty unless multi_region
  std::vector<Region> replicas;  // ascending

  bool disabled = false;
  // Deletion is scheduled: for a moment, or for when the last replica is gone.
  std::optional<Timestamp> deletion;
  int deletion_window_days = 0;  // 0: not scheduled

  // JSON; never null. The same object as long as it is the same policy.
  std::shared_ptr<const std::string> policy;
  bool policy_is_default = true;
  Tags tags;
  std::vector<Grant> grants;  // ascending by id

  std::vector<MaterialFacts> materials;  // ascending by version
  std::uint32_t current_version = 0;     // 0: nothing was imported yet
  Rotation rotation;

  // UpdatePrimaryRegion is under way to this Region.
  Region handed_to;
  // Of what the Regions share; grows with each change at the primary.
  std::uint64_t sequence = 0;

  const MaterialFacts* current() const;
  const MaterialFacts* material(std::uint32_t version) const;
  bool is_primary_in(const Region& region) const { return multi_region && primary == region; }
  bool is_replica_in(const Region& region) const { return multi_region && primary != region; }
};

using KeyFactsPointer = std::shared_ptr<const KeyFacts>;

// Time matters: imported material expires.
KeyState StateAt(const KeyFacts& key, Timestamp now);
KeyDescription DescriptionAt(const KeyFacts& key, Timestamp now);

// What a key without one of its own has: user pools may use it, and the account, by its IAM policies, may do
// everything.
std::string DefaultKeyPolicy(const std::string& account);

}  // namespace symbolon::keys::local
