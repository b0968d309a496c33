// The one writer of a store's directory log, records and facts: a queue, and a step that makes all that is pending
// durable at once (group commit).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <variant>

#include "storage/core.h"
#include "storage/write_set.h"

namespace symbolon::storage {

class Committer {
 public:
  struct Limits {
    // What may wait; more is refused with kUnavailable.
    std::size_t queue_requests_max = 16'384;
    std::size_t queue_bytes_max = 64 << 20;
    // What one step takes at most (one request at least).
    std::size_t step_requests_max = 2'048;
    std::size_t step_bytes_max = 8 << 20;
  };

  Committer(Core& core, Limits limits) : core_(core), limits_(limits) {}
  // Answers kUnavailable to all that wait.
  ~Committer();

  // Thread-safe, never block. See Store.
  void Submit(Commit commit, CommitCallback done);
  void Apply(AppliedEntries entries, ApplyCallback done);
  void MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                  std::move_only_function<void(StoreResult<void>)> done);

  // Takes what waits, makes it durable, publishes, tells the listeners, answers. False: nothing waited. Any thread;
  // steps run one after the other.
  bool Step();
  // Blocks until something waits (true) or `stop` is requested (false).
  bool WaitForWork(std::stop_token stop);

 private:
  struct CommitRequest {
    Commit commit;
    CommitCallback done;
    Committed committed;
  };
  struct ApplyRequest {
    AppliedEntries applied;
    ApplyCallback done;
    pb::Head head;
  };
  struct MergeRequest {
    PoolId pool;
    std::vector<pb::FactEntry> entries;
    std::move_only_function<void(StoreResult<void>)> done;
    // The first of the entries that ended their logs; the others are merged.
    std::optional<StoreError> refused = std::nullopt;
  };
  struct Request {
    std::variant<CommitRequest, ApplyRequest, MergeRequest> what;
    std::size_t size_bytes = 0;
    // What Step prepared: an error, or what to tell the listeners (nothing, if nothing changed).
    StoreResult<std::optional<Notice>> prepared = std::optional<Notice>();
  };

  void Enqueue(Request request);
  std::vector<Request> TakeBatch();
  bool HasWork();
  // Prepares, writes, publishes. Fills in every request's outcome. False: nothing was published.
  bool Process(std::vector<Request>& batch);
  static void Answer(Request& request);

  // What one that fails leaves in `writes` is to be taken back.
  StoreResult<std::optional<Notice>> Prepare(CommitRequest& request, WriteSet& writes);
  StoreResult<std::optional<Notice>> Prepare(ApplyRequest& request, WriteSet& writes);
  StoreResult<std::optional<Notice>> Prepare(MergeRequest& request, WriteSet& writes);

  Core& core_;
  const Limits limits_;

  std::mutex queue_mutex_;
  std::condition_variable_any work_;
  std::deque<Request> queue_;
  std::size_t queue_bytes_ = 0;
};

}  // namespace symbolon::storage
