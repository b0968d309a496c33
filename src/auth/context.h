// What every function of this module works in: one attempt at one plan (architecture §4).
#pragma once

#include "auth/token_signer.h"
#include "directory/env.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// Refers to what its maker owns; lives as long as the attempt.
struct Context {
  directory::Transaction& tx;
  directory::Env& env;
  const directory::pb::PoolRecord& pool;
  TokenSigner& signer;
  // Whether this Region may write the pool's directory.
  bool is_primary = true;

  Timestamp now() const { return env.now(); }
  const Region& region() const { return env.region().region; }
};

}  // namespace symbolon::auth
