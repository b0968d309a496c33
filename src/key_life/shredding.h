// Crypto-shredding of a pool (docs/adr/0021-shredding-and-certificates.md): every key of it is destroyed in every
// Region, and its records with them, and each Region says so in a signed statement (certificate/certificate.h).
//
//   ShredUserPool, at the primary, is one commit: the wrapped keys leave the directory, the order enters it, the role
//   record marks the pool deleted and sends every member away, and this Region's record of the work begins. So a Region
//   that has the entry serves the pool no more and has no opened key of it. It does the rest by itself:
//     DESTROYING_KEYS: wrapped keys in the log's bodies, in suffixes that were set aside and in copies on their way go,
//       and what the store's files hold of them;
//     REMOVING_RECORDS: replication drops the pool (a member at once, the primary when no member is left); then what
//       the files hold of it goes, and the Region signs;
//     COLLECTING: asks the others for their statements;
//     FINAL: it has those of all that are not gone for good, and has issued the certificate.
//   A Region that the entry does not reach hears of the order when another asks it.
//
// The record of the work is this Region's own, outlives the pool and is kept for ever. Every step may be done again, so
// that a crash costs nothing but time. Every Region collects, so that the certificate can be had where one is lost.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "audit/trail.h"
#include "certificate/certificate.h"
#include "crypto/ed25519.h"
#include "directory/records.pb.h"
#include "directory/transaction.h"
#include "key_life/pool_jobs.h"
#include "key_life/services.h"
#include "replication/roles.h"

namespace symbolon::key_life {

// Who asks, and which Regions there are beside the pool's own: a former replica may have left something there.
struct ShreddingRequest {
  // The ARN of an IAM principal.
  std::string asked_by;
  std::vector<Region> regions;
};
// In a plan's transaction, at the pool's primary; the pool may be locked. Answers the order.
certificate::Order BeginShredding(directory::Transaction& tx, const replication::pb::RoleRecord& role,
                                  const ShreddingRequest& request, const Region& here, Timestamp now);

struct RegionShredding {
  // kRemoved: it is gone for good, and has not confirmed.
  enum class State { kPending, kKeysDestroyed, kDone, kRemoved };
  Region region;
  State state = State::kPending;
  // Of what is done: when.
  std::optional<Timestamp> at;
  // Of what is not: why, for people.
  std::string reason;
};
struct ShreddingView {
  certificate::Order order;
  bool final = false;
  std::vector<RegionShredding> regions;
  // As it is now.
  std::string certificate;
};

// Thread-safe, except where said.
class Shredding {
 public:
  struct Options {
    // Of the topology, this one included.
    std::vector<Region> regions;
    // Gone for good: they are not waited for, and the certificate says that they did not confirm.
    std::vector<Region> gone = {};
    // Those of this Region, whether it is replicated or not.
    const replication::SuffixFolder* suffixes = nullptr;
    // Wipes the pool's opened keys, and what was decrypted with them. The store's notice has done so already, but a
    // request that began before may have opened them again: called when nobody reads a state from before any more.
    std::function<void(const PoolId& pool)> forget = {};
    // While something here is waited for, and until another Region is asked again.
    std::chrono::nanoseconds retry = std::chrono::seconds(1);
    std::chrono::nanoseconds ask_again = std::chrono::seconds(2);
  };
  // `key` signs for this Region. `trail`: nullptr in tests.
  Shredding(Services services, crypto::Ed25519Key key, audit::Trail* trail, Options options);
  ~Shredding();

  // Does one step of every work that is due; answers when the next is, on the clock's SinceBoot(); nullopt: no work.
  // Blocks. Not from two threads.
  std::optional<std::chrono::nanoseconds> RunDue();
  // Blocks until something may be due, or `stop`.
  void WaitUntil(const std::stop_token& stop, std::optional<std::chrono::nanoseconds> due);

  ShreddingRequest RequestOf(std::string asked_by) const { return {std::move(asked_by), options_.regions}; }
  // The latest one of the pool that this Region knows of.
  std::optional<ShreddingView> Describe(const PoolId& pool) const;
  // Another Region's question (link.proto).
  replication::ControlResult<Bytes> Answer(const Region& from, const PoolId& pool, const Bytes& order_text);

 private:
  using Record = directory::pb::ShreddingRecord;
  struct Job;
  struct News {
    // As another Region's entry brought it.
    std::optional<std::string> order;
    std::string position;
    // There may be one that could not be read.
    bool unread = false;
  };
  struct Waiting {
    std::string reason;
    bool keys_destroyed = false;
  };
  using WaitingOf = std::map<Region, Waiting>;
  struct Stored {
    Record record;
    std::uint64_t version = 0;
  };

  void OnNotice(const storage::Notice& notice);
  void FindWork();
  void TakeNews();
  void BeginHere(const PoolId& pool, const std::string& order_text, const std::string& position);

  std::optional<Stored> Load(const Bytes& id) const;
  std::vector<std::pair<Bytes, Record>> RecordsOf(const PoolId& pool) const;
  // False: somebody else changed it, or the store fails.
  bool Save(const Bytes& id, std::uint64_t version, const Record& record);

  // Answers after which time the next step is; nullopt: nothing is left to do.
  std::optional<std::chrono::nanoseconds> Step(const Bytes& id, Job& job);
  // Each answers why it has to be done again later; empty: it is done, and the record says so.
  std::string DestroyKeys(const certificate::Order& order, Record& record);
  std::string RemoveRecords(const certificate::Order& order, Record& record);
  void AskOthers(const certificate::Order& order, Record& record, WaitingOf& waiting);
  std::string Finish(const certificate::Order& order, Record& record);

  // Of the order's Regions: who is gone without a statement.
  std::vector<certificate::Unconfirmed> RemovedOf(const certificate::Order& order, const Record& record) const;
  std::string WhyHere(const PoolId& pool) const;
  bool IsDeletedHere(const PoolId& pool) const;
  // Of its directory here; empty: there is none; nullopt: the store cannot be read.
  std::optional<std::string> PositionOf(const PoolId& pool) const;
  bool DeleteRegionalKeys(const PoolId& pool);
  std::string RemoveSetAside(const PoolId& pool, Record& record);
  std::string Purge(const PoolId& pool, const storage::PurgeScope& scope, Record& record);
  WaitingOf WaitingFor(const Bytes& id) const;

  const Services services_;
  const crypto::Ed25519Key key_;
  audit::Trail* const trail_;
  const Options options_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;
  // What the store told; and why work waits. Guarded by mutex_.
  std::map<PoolId, News> news_;
  std::set<Bytes> changed_records_;
  std::map<Bytes, WaitingOf> waiting_;

  // of whoever calls RunDue
  bool looked_ = false;
  std::map<Bytes, std::unique_ptr<Job>> jobs_;

  std::unique_ptr<storage::Subscription> subscription_;  // last
};

using ShreddingThread = JobsThread<Shredding>;

}  // namespace symbolon::key_life
