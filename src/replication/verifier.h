// Comparisons of pools' copies that run in this Region: those that somebody asks for, and, from time to time, of every
// pool whose primary this Region is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/link.pb.h"
#include "replication/verify.h"
#include "replication/verify_sessions.h"
#include "storage/store.h"

namespace symbolon::replication {

// One comparison: waiting, under way, or done.
struct Verification {
  enum class State { kWaiting, kRunning, kDone };
  // Unique in this process.
  std::string id;
  // Nobody asked for it.
  bool background = false;
  State state = State::kWaiting;
  Timestamp started;
  // Of kDone.
  Timestamp ended;
  // So far, or whole.
  VerifyReport report;
};

// Thread-safe. Comparisons run one after the other on a thread of its own; what people ask for goes before the rest.
class Verifier {
 public:
  struct Options {
    // How often each pool is compared; 0: only when somebody asks.
    std::chrono::nanoseconds interval{};
    // And how fast then, in each Region.
    std::uint64_t records_per_second = 10'000;
    // Of comparisons that people asked for.
    std::size_t waiting = 16;
  };
  // One call to another Region; blocks, for seconds at the most.
  using Ask = std::function<ControlResult<Bytes>(const Region& peer, const pb::ControlRequest& request)>;

  // What is referred to outlives the verifier. `sessions`: of this Region. `peers`: the other Regions.
  Verifier(storage::Store& store, Clock& clock, Random& random, VerifySessions& sessions, std::vector<Region> peers,
           const Options& options, Ask ask);
  // Gives up what is under way, and waits for a call to another Region that is.
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Has a pool compared whose role record is here, and answers the comparison's id. One that somebody asked for before
  // and that is not done yet is not begun again. nullopt: too many wait.
  std::optional<std::string> Start(const PoolId& pool, std::uint64_t records_per_second);
  // The newest comparison of the pool; nullopt: none since this process started.
  std::optional<Verification> Newest(const PoolId& pool) const;
  // What came of the last that is done; and of the last in which every Region was compared.
  std::optional<VerificationSummary> Last(const PoolId& pool) const;
  std::optional<VerificationSummary> LastWhole(const PoolId& pool) const;

 private:
  class Channel;
  struct Job {
    PoolId pool;
    std::string id;
    std::uint64_t records_per_second = 0;
    bool background = false;
  };
  struct Known {
    std::optional<Verification> newest;
    std::optional<VerificationSummary> last;
    std::optional<VerificationSummary> last_whole;
  };

  void Run(const std::stop_token& stop);
  // Waits for something to do; nullopt: stop.
  std::optional<Job> NextJob(const std::stop_token& stop);
  std::optional<PoolId> FindDue(std::chrono::nanoseconds now);
  void RunJob(const std::stop_token& stop, const Job& job);
  std::vector<VerifyParticipant> ParticipantsOf(const PoolId& pool) const;
  void TakeNote(const Job& job, Verification verification);
  std::string NewId();

  storage::Store& store_;
  Clock& clock_;
  Random& random_;
  VerifySessions& sessions_;
  const std::vector<Region> peers_;
  const Options options_;
  const Ask ask_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> waiting_;        // guarded by mutex_
  std::map<PoolId, Known> known_;  // guarded by mutex_

  // of the thread
  std::map<PoolId, std::chrono::nanoseconds> due_;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace symbolon::replication
