#include "auth/activity.h"

#include "auth/facts.h"

namespace symbolon::auth {
namespace {

constexpr auto kType = static_cast<std::uint16_t>(FactType::kLastSignIn);

Bytes SubjectOf(const directory::Transaction& tx, const directory::pb::UserRecord& user) {
  return FactSubject(tx, FactType::kLastSignIn, user.sub());
}

}  // namespace

void NoteSignIn(directory::Transaction& tx, const directory::pb::UserRecord& user, Timestamp now) {
  const auto last = LastSignInOf(tx, user);
  if (last && now < *last + kSignInResolution) return;
  storage::pb::FactValue noted;
  noted.set_maximum(static_cast<std::uint64_t>(ToMicros(now)));
  noted.set_expires_at_micros(ToMicros(now + kSignInMemory));
  tx.NoteFact(kType, SubjectOf(tx, user), noted);
}

std::optional<Timestamp> LastSignInOf(directory::Transaction& tx, const directory::pb::UserRecord& user) {
  const auto fact = tx.GetFact(kType, SubjectOf(tx, user));
  if (!fact) return std::nullopt;
  return FromMicros(static_cast<std::int64_t>(fact->maximum()));
}

}  // namespace symbolon::auth
