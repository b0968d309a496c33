// One Region's part when Regions compare their directories (verify.proto): sessions of Regions that compare, each with
// a directory pinned here and its digest tree.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/control.h"
#include "replication/verify.pb.h"
#include "storage/store.h"

namespace symbolon::replication {

// Thread-safe. Work that takes long waits for Step(), which a VerifySessionsThread calls, or a test.
class VerifySessions {
 public:
  struct Limits {
    // Each pins a snapshot.
    std::size_t sessions = 4;
    // A session ends when it was not asked for so long.
    std::chrono::nanoseconds idle = std::chrono::seconds(60);
    // So long the log is waited for.
    std::chrono::nanoseconds roll_forward = std::chrono::seconds(30);
    std::size_t leaves = 1'000'000;
  };

  // Both outlive it.
  VerifySessions(storage::Store& store, Clock& clock, const Limits& limits);
  VerifySessions(storage::Store& store, Clock& clock) : VerifySessions(store, clock, Limits()) {}
  ~VerifySessions();

  // Answers a Region, this one included: a serialised pb::VerifyAnswer. kNotMember: the pool is not here, or not shared
  // with it; kWrongState: there is no such session, or it is not so far; kUnavailable: too many sessions, or the store
  // fails. Blocks for a page of records at the most.
  ControlResult<Bytes> Answer(const Region& from, const pb::VerifyRequest& request);

  // Does a slice of what is due. Answers when, since boot, something will be due next; nullopt: nothing will, before
  // Answer is called.
  std::optional<std::chrono::nanoseconds> Step();
  // Blocks until then (nullopt: for ever), Answer was called or `stop` is requested.
  void WaitForWork(const std::stop_token& stop, std::optional<std::chrono::nanoseconds> until);

  std::size_t session_count() const;

 private:
  class Session;

  ControlResult<Bytes> Begin(const Region& from, const Bytes& id, const PoolId& pool);
  std::shared_ptr<Session> Find(const Region& from, const Bytes& id);
  void EndIdle(std::chrono::nanoseconds now);

  storage::Store& store_;
  Clock& clock_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<Bytes, std::shared_ptr<Session>> sessions_;  // guarded by mutex_
  // Grows with every request.
  std::uint64_t requests_ = 0;             // guarded by mutex_
  std::uint64_t requests_waited_for_ = 0;  // guarded by mutex_
};

// Drives the sessions until it is destroyed, when it finishes the slice under way.
class VerifySessionsThread {
 public:
  // `sessions` must outlive it.
  explicit VerifySessionsThread(VerifySessions& sessions);

 private:
  std::jthread thread_;
};

}  // namespace symbolon::replication
