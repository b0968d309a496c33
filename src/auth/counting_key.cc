#include "auth/counting_key.h"

namespace symbolon::auth {

Bytes CountingKey(const directory::Transaction& tx, const std::optional<directory::User>& user,
                  const directory::pb::PoolRecord& pool, std::string_view name) {
  return user ? user->key : CountingKeyOfNobody(tx, directory::UserKeyOf(tx, pool, name));
}

Bytes CountingKeyOfNobody(const directory::Transaction& tx, BytesView name_key) {
  Bytes which;
  AppendBigEndian32(which, ReadBigEndian32(name_key) % kNobodies);
  return tx.keys().BlindIndex("nobody", which).substr(0, directory::kUserKeyBytes);
}

}  // namespace symbolon::auth
