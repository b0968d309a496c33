// What an operation's handler works with: one attempt at one request.
//
// A handler is a plan (architecture §4): a synchronous function without I/O, of the request and of what `tx()` shows,
// that answers a response and leaves its changes in `tx()`. The pipeline commits the changes before anybody sees the
// answer, and runs the handler again, on a new snapshot, after a conflict. An error throws the changes away, unless
// CommitDespiteError was called.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/context.h"
#include "base/ids.h"
#include "crypto/signing_key.h"
#include "directory/env.h"
#include "directory/routes.h"
#include "directory/transaction.h"
#include "directory/users.h"
#include "key_life/key_changes.h"
#include "key_life/shredding.h"
#include "key_life/status.h"
#include "replication/promotion.h"
#include "replication/roles.h"
#include "replication/status.h"
#include "replication/suffix_file.h"
#include "replication/verifier.h"

namespace symbolon::cognito {

// Who calls, as far as the operation's facts ask for it (model/*.access.json).
struct Caller {
  // Set when the request was signed: the access key's id.
  std::optional<std::string> access_key_id;
  // Set when the operation takes an access token: verified, unrevoked, of a user who exists and may sign in.
  struct SignedInUser {
    directory::SharedUser user;
    ClientId client;
    std::string scope;
    std::string origin_jti;
    std::string access_token_jti;
    // The device that the token is bound to; empty: none.
    std::string device_key;
    Timestamp authenticated_at;
  };
  std::optional<SignedInUser> user;
};

// What the pipeline fetched before the plan, because fetching it waits: keys from the key provider and from the
// reservoir.
struct Preparation {
  // For CreateUserPool: the transaction is that of the new pool and its new keys.
  struct NewPool {
    // keys/records.proto, wrapped: stored in clear.
    Bytes wrapped_keys;
    // The first signs ID tokens, the second access tokens.
    std::vector<crypto::SigningKey> signing_keys;
  };
  std::optional<NewPool> new_pool;
  // For CreateUserPoolReplica: the Regions in which the pool's customer managed key exists; empty for a single-Region
  // key.
  std::vector<Region> key_regions;
  // For SetUserPoolSigningAlgorithm: two fresh keys of the asked algorithm.
  std::vector<crypto::SigningKey> signing_keys;
  // For UpdateUserPool with another key, and for RotateUserPoolKey.
  std::optional<key_life::PreparedChange> key_change;
  // For a replica, or a primary, that has or is to have a key of its own.
  std::optional<key_life::PreparedRegionKey> region_key;
  // For UpdateUserPoolReplica to ACTIVE: the record of wrapped keys that the replica opens.
  std::optional<Bytes> opened_keys;
  // For DescribeUserPoolKey: this Region's first.
  std::vector<key_life::RegionKeyStatus> key_statuses;
  // For ReencryptUserPool: the pace if the request names none.
  std::uint64_t reencryption_rate = 0;
  // For DescribeReencryption: why the work waits.
  std::string reencryption_problem;
  // For ShredUserPool: who asks, and which Regions there are.
  std::optional<key_life::ShreddingRequest> shredding_request;
  // For DescribeShredding; nullopt: this Region knows of none.
  std::optional<key_life::ShreddingView> shredding;
  // For EraseUser: the ARN of who asks.
  std::string erasure_asked_by;
  // For DescribeErasure: what is waited for, as this Region knows, which is the primary.
  std::map<Region, std::string> erasure_waits_for;
  // For PromoteUserPoolReplica: what came of it.
  std::optional<replication::Promoted> promoted;
  // For ListReplicationSuffixes: those of the pool.
  std::vector<replication::SuffixFolder::File> suffixes;
  // For DescribeReplicationSuffix, as it was sealed.
  struct SuffixPage {
    struct Change {
      // 0: the file holds a whole directory, not entries.
      std::uint64_t sequence = 0;
      Timestamp commit_time;
      // type (2 octets, big-endian) ‖ id
      Bytes key;
      // nullopt: deleted, or erased.
      std::optional<Bytes> value;
      bool erased = false;
    };
    replication::SuffixFolder::File file;
    // Those that came with it, if the pool's do not open all changes and they open here.
    std::shared_ptr<const keys::PoolKeys> own_keys;
    std::vector<Change> changes;
    std::optional<std::uint64_t> next;
  };
  std::optional<SuffixPage> suffix_page;
};

// The pools of this Region, for ListUserPools. Consistent per pool, not across pools.
class PoolCatalog {
 public:
  struct Entry {
    PoolId id;
    // nullopt: the pool is locked here.
    std::optional<directory::pb::PoolRecord> pool;
    replication::pb::RoleRecord role;
  };
  struct Listing {
    std::vector<Entry> entries;
    std::optional<PoolId> next;
  };
  virtual ~PoolCatalog() = default;
  // Pools after `after`, ascending by id; those that are deleted, or have no keys any more, are left out.
  virtual Listing List(const std::optional<PoolId>& after, std::size_t limit) = 0;
};

// nullopt: the pool is not replicated from or to here. Empty where there are no other Regions.
using ReplicationStatusOf = std::function<std::optional<replication::ReplicationStatus>(const PoolId& pool)>;

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
  const directory::pb::PoolRecord& pool() const { return *pool_; }
  const Caller& caller() const { return caller_; }
  // Of an operation that takes an access token, which came with the request.
  const Caller::SignedInUser& signed_in() const {
    SYMBOLON_CHECK(caller_.user.has_value());
    return *caller_.user;
  }
  // Roles of the pool's Regions, as of this attempt.
  const replication::pb::RoleRecord& role() const { return *role_; }
  // Whether this Region may write the pool's directory. Facts may be written in every Region.
  bool is_primary() const {
    return replication::RoleOf(*role_, env_.region().region).kind == replication::Role::Kind::kPrimary;
  }
  // For the functions of auth.
  auth::Context auth_context() {
    return {.tx = tx_, .env = env_, .pool = *pool_, .signer = *signer_, .is_primary = is_primary()};
  }
  const Preparation& preparation() const { return *preparation_; }
  PoolCatalog& catalog() { return *catalog_; }
  // What this Region knows of the pool's replication now; nullopt where there are no other Regions.
  std::optional<replication::ReplicationStatus> replication_status() const {
    return *replication_status_ ? (*replication_status_)(pool_id()) : std::nullopt;
  }
  // Compares the copies of pools; nullptr where there are no other Regions.
  replication::Verifier* verifier() { return verifier_; }
  // The pool that has this domain in this Region, if any has.
  std::optional<PoolId> domain_owner(std::string_view domain) const { return routes_->PoolOfDomain(domain); }

  // The changes made so far and later are committed although the handler answers an error (a failed attempt is
  // counted).
  void CommitDespiteError() { commit_despite_error_ = true; }

 private:
  friend class Pipeline;
  friend class OperationsTest;

  // An empty record that nobody owns.
  template <class Message>
  static std::shared_ptr<const Message> None() {
    return {std::shared_ptr<const void>(), &Message::default_instance()};
  }

  directory::Transaction& tx_;
  directory::Env& env_;
  std::shared_ptr<const directory::pb::PoolRecord> pool_ = None<directory::pb::PoolRecord>();
  Caller caller_;
  std::shared_ptr<const replication::pb::RoleRecord> role_ = None<replication::pb::RoleRecord>();
  const Preparation* preparation_ = nullptr;
  PoolCatalog* catalog_ = nullptr;
  auth::TokenSigner* signer_ = nullptr;
  const directory::Routes* routes_ = nullptr;
  const ReplicationStatusOf* replication_status_ = nullptr;
  replication::Verifier* verifier_ = nullptr;
  bool commit_despite_error_ = false;
};

}  // namespace symbolon::cognito
