#include "auth/external_users.h"

#include <boost/json.hpp>

#include "auth/derived_uuid.h"
#include "auth/first_seen.h"
#include "directory/groups.h"
#include "directory/identity_providers.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;
using directory::pb::ExternalIdentity;

void AppendSized(Bytes& out, std::string_view part) {
  AppendBigEndian32(out, static_cast<std::uint32_t>(part.size()));
  out += part;
}

std::string IdentitiesAttribute(const ExternalIdentity& identity, Timestamp created) {
  const json::object entry{{"userId", identity.subject()},
                           {"providerName", identity.provider()},
                           {"providerType", "OIDC"},
                           {"issuer", nullptr},
                           {"primary", true},
                           {"dateCreated", ToMicros(created) / 1'000}};
  return json::serialize(json::array{entry});
}

}  // namespace

std::string ExternalUsername(const directory::pb::PoolRecord& pool, std::string_view provider,
                             std::string_view subject) {
  return directory::NormaliseName(pool, std::string(provider) + "_" + std::string(subject));
}

std::string DerivedSub(const keys::PoolKeys& keys, const ExternalIdentity& identity) {
  Bytes value;
  AppendSized(value, identity.provider());
  AppendSized(value, identity.subject());
  AppendBigEndian32(value, identity.deletions());
  return DerivedUuid(keys, "sub of an external identity", value);
}

std::uint32_t DeletionsOf(directory::Transaction& tx, BytesView user_key) {
  const auto former = tx.Get<directory::FormerIdentityKind>(user_key);
  return former ? former->deletions() : 0;
}

directory::User MakeExternalUser(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                 const ExternalIdentity& identity, Timestamp created) {
  directory::User user;
  user.record.set_username(ExternalUsername(pool, identity.provider(), identity.subject()));
  user.key = directory::UserKeyOf(tx, pool, user.record.username());
  *user.record.mutable_external() = identity;
  user.record.set_sub(DerivedSub(tx.keys(), identity));
  user.record.set_status(directory::pb::EXTERNAL_PROVIDER);
  user.record.set_enabled(true);
  user.record.set_created_micros(ToMicros(created));
  user.record.set_modified_micros(ToMicros(created));
  (*user.record.mutable_attributes())[std::string(kIdentitiesAttribute)] = IdentitiesAttribute(identity, created);
  return user;
}

json::value IdentitiesClaim(std::string_view attribute) {
  json::error_code error;
  json::value identities = json::parse(attribute, error);
  if (error || !identities.is_array()) return json::value(attribute);
  for (json::value& entry : identities.get_array()) {
    if (!entry.is_object()) continue;
    for (auto& member : entry.get_object()) {
      json::value& value = member.value();
      if (value.is_bool() || value.is_int64()) value = json::serialize(value);
    }
  }
  return identities;
}

std::vector<directory::pb::GroupRecord> GroupsOfUser(directory::Transaction& tx, const directory::User& user) {
  if (!user.record.first_seen()) return directory::GroupsOf(tx, user.key);
  std::vector<directory::pb::GroupRecord> groups;
  auto group = directory::GetGroup(tx, directory::GroupOfProvider(tx.pool(), user.record.external().provider()));
  if (group) groups.push_back(*std::move(group));
  return groups;
}

std::optional<directory::User> GetKnownUser(directory::Transaction& tx, BytesView user_key) {
  if (auto user = directory::GetUser(tx, user_key)) return user;
  return FirstSeenUser(tx, user_key);
}

std::optional<directory::SharedUser> ShareKnownUser(directory::Transaction& tx, BytesView user_key) {
  if (auto user = directory::ShareUser(tx, user_key)) return user;
  auto user = FirstSeenUser(tx, user_key);
  if (!user) return std::nullopt;
  return directory::SharedUser{.key = std::move(user->key),
                               .record = std::make_shared<const directory::pb::UserRecord>(std::move(user->record))};
}

std::optional<directory::User> FindKnownUser(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                             std::string_view name) {
  if (auto user = directory::FindUser(tx, pool, name)) return user;
  return FirstSeenUser(tx, directory::UserKeyOf(tx, pool, name));
}

}  // namespace symbolon::auth
