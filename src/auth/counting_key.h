// Under which key it is counted what happens to a name: failed attempts, requests for codes, guesses.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "directory/transaction.h"
#include "directory/users.h"

namespace symbolon::auth {

// So many keys stand for all the names that nobody has.
inline constexpr std::uint32_t kNobodies = 1 << 18;

// The user's own key. Names that nobody has share kNobodies keys, so that whoever makes names up by the million fills
// no more than so many facts of each kind; two such names count as one if they meet, which nobody can bring about for a
// name of their choice.
Bytes CountingKey(const directory::Transaction& tx, const std::optional<directory::User>& user,
                  const directory::pb::PoolRecord& pool, std::string_view name);
// The same, of a name that is given by the key that its user would have.
Bytes CountingKeyOfNobody(const directory::Transaction& tx, BytesView name_key);

}  // namespace symbolon::auth
