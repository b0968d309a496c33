#include "auth/facts.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "storage/horizon.h"

namespace symbolon::auth {
namespace {

using storage::pb::FactValue;

constexpr std::size_t kSubjectBytes = 16;

std::optional<FactValue> Get(directory::Transaction& tx, FactType type, BytesView about) {
  return tx.GetFact(static_cast<std::uint16_t>(type), FactSubject(tx, type, about));
}

void Join(directory::Transaction& tx, FactType type, BytesView about, const FactValue& value) {
  tx.JoinFact(static_cast<std::uint16_t>(type), FactSubject(tx, type, about), value);
}

std::int64_t ForgetAfterMicros(Timestamp until) { return ToMicros(until + kFactMargin); }

// What cannot be read may be anything.
std::int64_t HorizonMicros(directory::Transaction& tx) {
  const auto horizon = storage::ForgottenBefore(tx.snapshot(), tx.pool());
  return horizon ? ToMicros(*horizon) : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

Bytes FactSubject(const directory::Transaction& tx, FactType type, BytesView about) {
  const auto label = [type]() -> std::string_view {
    switch (type) {
      case FactType::kFamily:
        return "fact:family";
      case FactType::kRotation:
        return "fact:rotation";
      case FactType::kSignOut:
        return "fact:sign-out";
      case FactType::kFailedAttempts:
        return "fact:failed attempts";
      case FactType::kHourlyCount:
        return "fact:hourly count";
      case FactType::kLastCode:
        return "fact:last code";
      case FactType::kDisabled:
        return "fact:disabled";
      case FactType::kLastSignIn:
        return "fact:last sign-in";
      case FactType::kDeviceSeen:
        return "fact:device seen";
      case FactType::kFirstSeen:
        return "fact:first seen";
    }
    return {};
  };
  return tx.keys().BlindIndex(label(), about).substr(0, kSubjectBytes);
}

bool MayBeForgotten(directory::Transaction& tx, Timestamp until) {
  return ForgetAfterMicros(until) < HorizonMicros(tx);
}

std::int64_t AcceptedUntilMicros(directory::Transaction& tx, std::int64_t micros) {
  return std::max(micros, HorizonMicros(tx));
}

bool IsFamilyRevoked(directory::Transaction& tx, std::string_view family) {
  const auto fact = Get(tx, FactType::kFamily, family);
  return fact && (fact->maximum() > 0 || fact->region_maximum_size() > 1);
}

bool WasBornTwice(directory::Transaction& tx, std::string_view family) {
  const auto fact = Get(tx, FactType::kFamily, family);
  return fact && fact->maximum() == 0 && fact->region_maximum_size() > 1;
}

void RevokeFamily(directory::Transaction& tx, std::string_view family, Timestamp until) {
  FactValue revoked;
  revoked.set_maximum(1);
  revoked.set_expires_at_micros(AcceptedUntilMicros(tx, ForgetAfterMicros(until)));
  Join(tx, FactType::kFamily, family, revoked);
}

bool WasUsed(directory::Transaction& tx, std::string_view id) { return Get(tx, FactType::kFamily, id).has_value(); }

void MarkUsed(directory::Transaction& tx, const Region& region, std::string_view id, Timestamp until) {
  FactValue used;
  (*used.mutable_region_maximum())[region.value()] = 1;
  used.set_expires_at_micros(ForgetAfterMicros(until));
  Join(tx, FactType::kFamily, id, used);
}

Rotation RotationOf(directory::Transaction& tx, std::string_view family) {
  const auto fact = Get(tx, FactType::kRotation, family);
  if (!fact) return {};
  return {.redeemed = static_cast<std::uint32_t>(fact->maximum() >> 32),
          .last_redeemed_at = FromSeconds(static_cast<std::int64_t>(fact->maximum() & 0xffff'ffff))};
}

void MarkRedeemed(directory::Transaction& tx, std::string_view family, std::uint32_t generation, Timestamp now,
                  Timestamp until) {
  FactValue redeemed;
  redeemed.set_maximum((std::uint64_t{generation} + 1) << 32 |
                       (static_cast<std::uint64_t>(ToSeconds(now)) & 0xffff'ffff));
  redeemed.set_expires_at_micros(ForgetAfterMicros(until));
  Join(tx, FactType::kRotation, family, redeemed);
}

SignOuts SignOutsOf(directory::Transaction& tx, BytesView user_key) {
  SignOuts counters;
  if (const auto fact = Get(tx, FactType::kSignOut, user_key)) {
    counters.insert(fact->region_maximum().begin(), fact->region_maximum().end());
  }
  return counters;
}

void SignOutUser(directory::Transaction& tx, const Region& region, BytesView user_key, Timestamp now) {
  SignOuts counters = SignOutsOf(tx, user_key);
  // Time, so that it grows beyond what was forgotten; at least one more, so that it grows when the clock went back.
  const std::uint64_t next = std::max(counters[region.value()] + 1, static_cast<std::uint64_t>(ToMicros(now)));
  FactValue signed_out;
  (*signed_out.mutable_region_maximum())[region.value()] = next;
  signed_out.set_expires_at_micros(ForgetAfterMicros(now + kSignOutMemory));
  Join(tx, FactType::kSignOut, user_key, signed_out);
}

bool SignedOutSince(const SignOuts& merged, const SignOuts& known) {
  return std::ranges::any_of(merged, [&](const auto& counter) {
    const auto mine = known.find(counter.first);
    return mine == known.end() || mine->second < counter.second;
  });
}

}  // namespace symbolon::auth
