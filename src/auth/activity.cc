#include "auth/activity.h"

#include <algorithm>

#include "auth/facts.h"

namespace symbolon::auth {
namespace {

std::optional<Timestamp> LastOf(directory::Transaction& tx, FactType type, std::string_view about) {
  const auto fact = tx.GetFact(static_cast<std::uint16_t>(type), FactSubject(tx, type, about));
  if (!fact) return std::nullopt;
  return FromMicros(static_cast<std::int64_t>(fact->maximum()));
}

void Note(directory::Transaction& tx, FactType type, std::string_view about, Timestamp now) {
  storage::pb::FactValue noted;
  noted.set_maximum(static_cast<std::uint64_t>(ToMicros(now)));
  noted.set_expires_at_micros(ToMicros(now + kSignInMemory));
  tx.NoteFact(static_cast<std::uint16_t>(type), FactSubject(tx, type, about), noted);
}

}  // namespace

void NoteSignIn(directory::Transaction& tx, const directory::pb::UserRecord& user, Timestamp now) {
  const auto last = LastSignInOf(tx, user);
  if (last && now < *last + kSignInResolution) return;
  Note(tx, FactType::kLastSignIn, user.sub(), now);
}

std::optional<Timestamp> LastSignInOf(directory::Transaction& tx, const directory::pb::UserRecord& user) {
  return LastOf(tx, FactType::kLastSignIn, user.sub());
}

void NoteDeviceSeen(directory::Transaction& tx, const directory::pb::DeviceRecord& device, Timestamp now) {
  Note(tx, FactType::kDeviceSeen, device.device_key(), now);
}

Timestamp DeviceLastSeen(directory::Transaction& tx, const directory::pb::DeviceRecord& device) {
  const Timestamp confirmed = FromMicros(device.authenticated_micros());
  return std::max(confirmed, LastOf(tx, FactType::kDeviceSeen, device.device_key()).value_or(confirmed));
}

}  // namespace symbolon::auth
