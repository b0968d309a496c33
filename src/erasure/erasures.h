// Erasures of users, driven by the pool's primary (docs/erasure.md, docs/adr/0022-erasure-of-a-user.md).
//
//   EraseUser, at the primary, is one commit: the user's records leave the directory, and the record of the erasure
//   enters it. After a crash, and after a promotion at the new primary, the work goes on from that record:
//     - every member of the pool is asked whether it has the log up to here, so that nobody needs the bodies any more;
//     - every Region of the order is asked to erase what it has (region_erasures.h), until it has signed a statement,
//     which
//       is kept in the record;
//     - with the last statement the certificate is issued, and the record names nobody any more but by the order's sub.
//   A Region that is gone for good, and no member any more, is not waited for; the certificate says that it did not
//   confirm.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "audit/trail.h"
#include "certificate/certificate.h"
#include "crypto/ed25519.h"
#include "directory/records.pb.h"
#include "erasure/region_erasures.h"
#include "key_life/pool_jobs.h"
#include "key_life/services.h"

namespace symbolon::erasure {

struct RegionState {
  Region region;
  // The erasure ended without it.
  bool removed = false;
  // When it said that it had erased all.
  std::optional<Timestamp> erased_at;
  // Why it has not, as the record knows; empty: that is not known here.
  std::string waits_for;
};
// What the record says. nullopt: it is none.
struct ErasureState {
  certificate::Order order;
  std::vector<RegionState> regions;
  std::optional<Timestamp> ended;
  // Issued when every Region of the order had stated, or was gone.
  std::string certificate;
};
std::optional<ErasureState> StateOf(const directory::pb::ErasureRecord& record);

// Thread-safe, except where said.
class Erasures {
 public:
  struct Options {
    std::chrono::nanoseconds retry = std::chrono::milliseconds(250);
    // After a Region could not be asked.
    std::chrono::nanoseconds retry_unreachable = std::chrono::seconds(2);
    // Gone for good.
    std::vector<Region> gone = {};
  };

  // `services.ask` carries link.proto's messages. `here` does this Region's part. `key` signs certificates. `trail`:
  // nullptr in tests.
  Erasures(key_life::Services services, RegionErasures& here, crypto::Ed25519Key key, audit::Trail* trail,
           Options options);
  ~Erasures();

  // Does one step for each pool that is due; answers when the next is, on the clock's SinceBoot(); nullopt: no pool has
  // work here. Blocks, for the time-outs of calls. Not from two threads.
  std::optional<std::chrono::nanoseconds> RunDue();
  // Blocks until something may be due, or `stop`.
  void WaitUntil(const std::stop_token& stop, std::optional<std::chrono::nanoseconds> due);

  // Why Regions have not erased a user yet, as the last step saw it; empty where this Region is not the primary.
  std::map<Region, std::string> WaitsFor(const Bytes& id) const;

 private:
  using Record = directory::pb::ErasureRecord;
  struct Job;
  struct Pending {
    Bytes id;
    Record record;
  };

  void OnNotice(const storage::Notice& notice);
  void SetWaits(const Bytes& id, const Region& region, std::string reason);

  // nullopt: nothing is left to do here.
  std::optional<std::chrono::nanoseconds> Step(const PoolId& pool, Job& job);
  std::optional<std::vector<Pending>> FindPending(const storage::Snapshot& snapshot, const PoolId& pool) const;
  // Whether every member has come past `sequence`; says of each pending one who has not.
  bool AllReached(const PoolId& pool, const replication::pb::RoleRecord& role, std::uint64_t sequence, Job& job,
                  const std::vector<Pending>& pending);
  void EraseEverywhere(const PoolId& pool, const replication::pb::RoleRecord& role, std::uint64_t sequence, Job& job,
                       Pending& pending);
  WorkDone AskRegion(const Region& region, const Work& work, Job& job);
  // Not waited for: of the pool there is nobody to ask.
  bool IsRemoved(const replication::pb::RoleRecord& role, const Region& region) const;
  // Commits what is new in the record; `finish`: with the certificate, if nobody is left to wait for.
  void Store(const PoolId& pool, const Pending& pending, const std::map<Region, std::string>& statements, bool finish);
  // The certificate as of this record; nullopt: not yet.
  std::optional<certificate::Contents> ContentsOf(const Record& record, const replication::pb::RoleRecord& role) const;

  const key_life::Services services_;
  RegionErasures& here_;
  const crypto::Ed25519Key key_;
  audit::Trail* const trail_;
  const Options options_;

  mutable std::mutex mutex_;
  // What is waited for; guarded by mutex_.
  std::map<Bytes, std::map<Region, std::string>> waits_;

  key_life::PoolJobs<Job> jobs_;
  // All pools were noted; of whoever calls RunDue.
  bool listed_ = false;

  std::unique_ptr<storage::Subscription> subscription_;  // last
};

using ErasuresThread = key_life::JobsThread<Erasures>;

}  // namespace symbolon::erasure
