#include "auth/disabling.h"

#include <algorithm>
#include <map>
#include <string>

#include "auth/facts.h"

namespace symbolon::auth {
namespace {

using directory::pb::UserRecord;
using storage::pb::FactValue;

// Beside a Region's name: the highest of its disables that an enable lifts. No Region's name begins like this.
constexpr char kLiftedMark = '-';
// A record that says "disabled" itself counts as the first disable of a Region without a name.
constexpr std::uint64_t kOfRecord = 1;

std::string LiftedOf(const std::string& region) { return kLiftedMark + region; }

// Region → its last disable, for disables in force.
std::map<std::string, std::uint64_t> InForce(const FactValue& fact, const UserRecord& user) {
  std::map<std::string, std::uint64_t> disables;
  for (const auto& [name, number] : fact.region_maximum()) {
    if (!name.starts_with(kLiftedMark)) disables.emplace(name, number);
  }
  if (!user.enabled()) disables.emplace("", kOfRecord);
  std::erase_if(disables, [&](const auto& disable) {
    const auto lifted = fact.region_maximum().find(LiftedOf(disable.first));
    return lifted != fact.region_maximum().end() && lifted->second >= disable.second;
  });
  return disables;
}

FactValue FactOf(directory::Transaction& tx, const UserRecord& user) {
  return tx.GetFact(static_cast<std::uint16_t>(FactType::kDisabled), FactSubject(tx, FactType::kDisabled, user.sub()))
      .value_or(FactValue());
}

// Without an end: a disable holds for as long as nobody lifts it.
void Say(directory::Transaction& tx, const UserRecord& user, const FactValue& fact) {
  tx.JoinFact(static_cast<std::uint16_t>(FactType::kDisabled), FactSubject(tx, FactType::kDisabled, user.sub()), fact);
}

std::uint64_t NumberOf(const FactValue& fact, const std::string& name) {
  const auto found = fact.region_maximum().find(name);
  return found == fact.region_maximum().end() ? 0 : found->second;
}

}  // namespace

Switch SwitchOf(directory::Transaction& tx, const UserRecord& user) {
  const FactValue fact = FactOf(tx, user);
  return {.enabled = InForce(fact, user).empty(), .changed_at = FromMicros(static_cast<std::int64_t>(fact.maximum()))};
}

bool IsEnabled(directory::Transaction& tx, const UserRecord& user) { return SwitchOf(tx, user).enabled; }

void DisableUser(directory::Transaction& tx, const Region& region, BytesView user_key, const UserRecord& user,
                 Timestamp now) {
  const FactValue known = FactOf(tx, user);
  const auto now_micros = static_cast<std::uint64_t>(ToMicros(now));
  // Time, so that a store which lost what this Region said does not say a number again that was lifted elsewhere; at
  // least one more than all that is known, so that it grows when the clock went back.
  const std::uint64_t number =
      std::max({NumberOf(known, region.value()) + 1, NumberOf(known, LiftedOf(region.value())) + 1, now_micros});
  FactValue disabled;
  (*disabled.mutable_region_maximum())[region.value()] = number;
  disabled.set_maximum(now_micros);
  Say(tx, user, disabled);
  SignOutUser(tx, region, user_key, now);
}

void EnableUser(directory::Transaction& tx, const UserRecord& user, Timestamp now) {
  const auto in_force = InForce(FactOf(tx, user), user);
  if (in_force.empty()) return;
  FactValue enabled;
  for (const auto& [region, number] : in_force) (*enabled.mutable_region_maximum())[LiftedOf(region)] = number;
  enabled.set_maximum(static_cast<std::uint64_t>(ToMicros(now)));
  Say(tx, user, enabled);
}

}  // namespace symbolon::auth
