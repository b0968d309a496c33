#include "directory/identity_providers.h"

#include "directory/normalise.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kKeyBytes = 16;

}  // namespace

Bytes IdentityProviderKeyOf(const Transaction& tx, std::string_view name) {
  return tx.keys().BlindIndex("identity provider", name).substr(0, kKeyBytes);
}

Bytes IdpIdentifierKeyOf(const Transaction& tx, std::string_view identifier) {
  return tx.keys().BlindIndex("idp identifier", FoldCase(identifier)).substr(0, kKeyBytes);
}

std::optional<pb::IdentityProviderRecord> GetIdentityProvider(Transaction& tx, std::string_view name) {
  return tx.Get<IdentityProviderKind>(IdentityProviderKeyOf(tx, name));
}

std::optional<pb::IdentityProviderRecord> FindIdentityProvider(Transaction& tx, std::string_view identifier) {
  const auto entry = tx.Get<IdpIdentifierKind>(IdpIdentifierKeyOf(tx, identifier));
  return entry ? GetIdentityProvider(tx, entry->provider()) : std::nullopt;
}

std::string GroupOfProvider(const PoolId& pool, std::string_view provider) {
  return pool.value() + "_" + std::string(provider);
}

}  // namespace symbolon::directory
