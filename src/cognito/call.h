// What an operation's handler works with: one attempt at one request.
//
// A handler is a plan (architecture §4): a synchronous function without I/O, of the request and of what `tx()` shows,
// that answers a response and leaves its changes in `tx()`. The pipeline commits the changes before anybody sees the
// answer, and runs the handler again, on a new snapshot, after a conflict. An error throws the changes away, unless
// CommitDespiteError was called.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "directory/env.h"
#include "directory/transaction.h"
#include "directory/users.h"

namespace symbolon::cognito {

// Who calls, as far as the operation's facts ask for it (model/*.access.json).
struct Caller {
  // Set when the request was signed: the access key's id.
  std::optional<std::string> access_key_id;
  // Set when the operation takes an access token: verified, unrevoked, of a user who exists and may sign in.
  struct SignedInUser {
    directory::User user;
    ClientId client;
    std::string scope;
    std::string origin_jti;
    std::string access_token_jti;
  };
  std::optional<SignedInUser> user;
};

class Call {
 public:
  Call(directory::Transaction& tx, directory::Env& env) : tx_(tx), env_(env) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  directory::Transaction& tx() { return tx_; }
  directory::Env& env() { return env_; }
  Timestamp now() const { return env_.now(); }
  const PoolId& pool_id() const { return tx_.pool(); }

  // The pool of the request. For CreateUserPool, ListUserPools and other operations without a pool: empty.
  const directory::pb::PoolRecord& pool() const { return pool_; }
  const Caller& caller() const { return caller_; }

  // The changes made so far and later are committed although the handler answers an error (a failed attempt is
  // counted).
  void CommitDespiteError() { commit_despite_error_ = true; }

 private:
  friend class Pipeline;

  directory::Transaction& tx_;
  directory::Env& env_;
  directory::pb::PoolRecord pool_;
  Caller caller_;
  bool commit_despite_error_ = false;
};

}  // namespace symbolon::cognito
