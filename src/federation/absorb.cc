#include "federation/absorb.h"

#include "auth/attributes.h"
#include "auth/external_users.h"
#include "base/log.h"
#include "directory/identity_providers.h"
#include "federation/mapping.h"
#include "federation/sign_in.h"

namespace symbolon::federation {
namespace {

using directory::pb::ExternalIdentity;
using directory::pb::IdentityProviderRecord;
using directory::pb::PoolRecord;

// A statement of a Region whose clock is ahead waits.
constexpr std::chrono::minutes kSkewMax{5};

bool IsFlag(std::string_view name) { return name == "email_verified" || name == "phone_number_verified"; }

bool IsSame(const ExternalIdentity& a, const ExternalIdentity& b) {
  return a.provider() == b.provider() && a.subject() == b.subject();
}

directory::User UserOf(directory::Transaction& tx, const PoolRecord& pool, const IdentityProviderRecord& provider,
                       const auth::pb::FirstSeen& seen, const boost::json::object& claims) {
  directory::User user = auth::MakeExternalUser(tx, pool, seen.identity(), FromMicros(seen.seen_micros()));
  // What is signed, as the mapping is now; what the provider answered to that Region, as it says.
  auth::AttributeValues values = MapClaims(provider, claims, {}).values;
  for (const std::string& name : seen.unsigned_attributes()) {
    const auto said = seen.attributes().find(name);
    const bool is_mapped = provider.attribute_mapping().contains(name);
    if (said != seen.attributes().end() && is_mapped && !IsFlag(name)) values.emplace(name, said->second);
  }
  // The pool may take less by now than when they were seen: each by itself.
  auto& attributes = *user.record.mutable_attributes();
  for (const auto& [name, value] : values) {
    if (IsFlag(name)) continue;
    if (auto checked = auth::CheckNewAttributes(pool, nullptr, {{name, value}})) {
      for (auto& [stored_name, stored] : *checked) attributes[stored_name] = std::move(stored);
    }
  }
  for (const std::string address : {"email", "phone_number"}) {
    if (!attributes.contains(address)) continue;
    const auto flag = values.find(address + "_verified");
    attributes[address + "_verified"] = flag != values.end() && flag->second == "true" ? "true" : "false";
  }
  return user;
}

}  // namespace

Absorbed AbsorbFirstSeen(directory::Transaction& tx, const PoolRecord& pool, const Bytes& subject, Timestamp now,
                         const TrustedKey& trusted) {
  const auto refuse = [&](std::string_view why) {
    log::Warning("what a Region says of a first sign-in in pool {} is refused: {}", tx.pool().value(), why);
    auth::RefuseFirstSeen(tx, subject, now);
    return Absorbed::kRefused;
  };

  // 1. Something that is said and not settled.
  const auto fact = auth::OpenFirstSeen(tx, subject);
  if (!fact || fact->refused || fact->ends || !fact->seen) return Absorbed::kNothing;
  const auth::pb::FirstSeen& seen = *fact->seen;
  const auto& identity = seen.identity();
  const std::string username = auth::ExternalUsername(pool, identity.provider(), identity.subject());
  const Bytes user_key = directory::UserKeyOf(tx, pool, username);
  if (seen.username() != username || auth::FirstSeenSubject(tx, user_key, identity.deletions()) != subject)
    return refuse("it is about somebody else");

  // 2. Somebody who is here, or was: what is said changes nothing.
  const auto known = directory::GetUser(tx, user_key);
  const std::uint32_t deletions = auth::DeletionsOf(tx, user_key);
  const bool is_here = known && known->record.has_external() && IsSame(known->record.external(), identity);
  if (deletions > identity.deletions() || (is_here && known->record.external().deletions() == identity.deletions()))
    return Absorbed::kSettled;
  if (deletions < identity.deletions()) return refuse("it counts deletions that were set aside");
  if (known) return refuse("somebody else has the name");

  // 3. What the provider signed, by a key that it has or had.
  const auto provider = directory::GetIdentityProvider(tx, identity.provider());
  if (!provider || provider->id() != seen.provider_id()) return refuse("the pool has no such provider any more");
  const Timestamp seen_at = FromMicros(seen.seen_micros());
  if (seen_at > now + kSkewMax) return Absorbed::kWaiting;
  const auto said_key = ParseProviderKey(seen.jwk());
  if (!said_key) return refuse("it names no key");
  const auto key = trusted(*provider, *said_key);
  if (!key && now < seen_at + kUnverifiableAfter) return Absorbed::kWaiting;
  if (!key) return refuse("its key was never seen at the issuer");
  const auto verified = VerifyIdToken(
      seen.assertion(), *key,
      {.issuer = provider->issuer(), .audience = provider->client_id(), .nonce = seen.nonce(), .now = seen_at});
  if (!verified) return refuse(Name(verified.error()));
  if (verified->subject != identity.subject()) return refuse("the assertion is about somebody else");

  // 4. The record.
  const auto stored = StoreNewUser(tx, pool, UserOf(tx, pool, *provider, seen, verified->claims));
  if (!stored) return refuse("somebody else has the name");
  return Absorbed::kRecord;
}

}  // namespace symbolon::federation
