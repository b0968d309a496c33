// Moves a pool's records to the data key that seals now, and then drops the former ones (docs/keys.md).
//
// The work is the primary's and goes through the directory log, so that the Regions stay equal to the octet. How far it
// is stands in a record of the directory, which each batch commits with the records that it sealed anew: after a crash
// it goes on where it was, and after a promotion the new primary does.
//
//   RUNNING: walks the directory in the order of its keys.
//   FINISHING: has every Region move its regional records and look through all that it has, until nothing is left that
//     a former generation sealed and nobody can seal with one any more; then the former generations leave the record of
//     wrapped keys. What suffixes that were set aside need stays in it.
//   DONE.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "directory/records.pb.h"
#include "directory/transaction.h"
#include "key_life/pool_jobs.h"
#include "key_life/services.h"

namespace symbolon::key_life {

// Begins the work in a plan's transaction, or changes its pace if it is under way; answers the record.
directory::pb::ReencryptionRecord BeginReencryption(directory::Transaction& tx, std::uint64_t records_per_second,
                                                    Timestamp now);

// Thread-safe, except where said.
class Reencryption {
 public:
  struct Options {
    // Records that one commit seals anew, at the most.
    std::size_t batch_records_max = 512;
    // A batch waits while a replica that is in reach lags by more.
    std::chrono::nanoseconds lag_max = std::chrono::milliseconds(200);
    // After a failure, and while something is waited for.
    std::chrono::nanoseconds retry = std::chrono::seconds(1);
    // Before a pool is walked again in which records did not open.
    std::chrono::nanoseconds damaged_retry = std::chrono::minutes(1);
  };
  // Of the pool's replica in reach that lags most.
  using LagOf = std::function<std::chrono::nanoseconds(const PoolId& pool)>;

  // `lag_of`: empty where there are no other Regions.
  Reencryption(Services services, Options options, LagOf lag_of);
  ~Reencryption();

  // Does one step for each pool that is due, a slice of bounded size, so that pools take turns; answers when the next
  // is, on the clock's SinceBoot(); nullopt: no pool has work here. Blocks. Not from two threads.
  std::optional<std::chrono::nanoseconds> RunDue();
  // Blocks until something may be due, or `stop`.
  void WaitUntil(const std::stop_token& stop, std::optional<std::chrono::nanoseconds> due);

  // Why the work waits, as seen here; empty: it does not, or is another Region's.
  std::string ProblemOf(const PoolId& pool) const;

 private:
  struct Job;
  class Walk;

  void OnNotice(const storage::Notice& notice);
  // One step; answers after which time the next; nullopt: nothing is left to do here.
  std::optional<std::chrono::nanoseconds> Step(const PoolId& pool, Job& job);
  std::chrono::nanoseconds Reseal(const PoolId& pool, Job& job, directory::pb::ReencryptionRecord record);
  std::chrono::nanoseconds Finish(const PoolId& pool, Job& job, const directory::pb::ReencryptionRecord& record);
  std::chrono::nanoseconds WalkAgain(const PoolId& pool, Job& job);
  std::chrono::nanoseconds Wait(Job& job, std::string problem) const;

  const Services services_;
  const Options options_;
  const LagOf lag_of_;

  mutable std::mutex mutex_;
  std::map<PoolId, std::string> problems_;  // guarded by mutex_

  // Of pools whose record may have changed.
  PoolJobs<Job> jobs_;
  // All pools were noted; of whoever calls RunDue.
  bool listed_ = false;

  std::unique_ptr<storage::Subscription> subscription_;  // last
};

using ReencryptionThread = JobsThread<Reencryption>;

}  // namespace symbolon::key_life
