// One simulated Region: a disk that survives, and a process on it (store, committer, replication machine) that may die
// at any write and between any two events. It drives the machine as production does, on virtual time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "network.h"
#include "replication/durable_commits.h"
#include "replication/machine.h"
#include "scheduler.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "trace.h"

namespace symbolon::simulation {

// Bugs that the simulator has to find: planted outside the product's code, in what drives it.
enum class Plant {
  kNone,
  // Records and the position that they belong to become durable one after the other.
  kApplyWithoutPosition,
  // A secondary acknowledges entries that it has only received.
  kAcknowledgeBeforeDurable,
  // A restart loses the newest fact, and not its number.
  kForgetFactAtRestart,
  // A supplier's frames lose an entry from their middle, unnoticed by the connection.
  kSkipEntry,
  // A write is answered when it is durable in the primary, whatever the pool's durability asks.
  kAnswerWithoutReplica,
  // A restart loses what was promised.
  kForgetPromiseAtRestart,
  // The store is not told of promises, so that it does not look at the epoch of what is written.
  kPromiseWithoutFence,
  // A primary hands over without waiting for what the secondary lacks.
  kHandOverWithoutEquality,
  // A primary does not hear what peers say of epochs.
  kDeafToEpochs,
};

// Suffixes that were set aside, as a disk keeps them.
class SimArchive final : public replication::SuffixArchive {
 public:
  storage::StoreResult<void> Keep(storage::Store& store, const PoolId& pool, std::uint64_t fork) override;
  // Digests of the heads whose suffixes were kept.
  std::map<PoolId, std::set<Bytes>> kept;
};

class SimRegion final : public replication::MachineHost {
 public:
  SimRegion(Region name, std::vector<Region> peers, Scheduler& scheduler, Dice& dice, Network& network, Trace& trace,
            Plant plant);
  ~SimRegion() override;

  const Region& name() const { return name_; }
  bool up() const { return store_ != nullptr; }
  // Counts the processes.
  std::uint64_t life() const { return life_; }
  storage::LocalStore& store() { return *store_; }
  replication::Machine& machine() { return *machine_; }
  storage::MemoryDisk& disk() { return *disk_; }
  const SimArchive& archive() const { return archive_; }

  void Start();
  void Crash();
  // The process dies at the write with this number from now, before or after it is durable, or its sync fails.
  void PlanFault(storage::WriteFault fault, std::uint64_t writes_from_now);
  // Wall time differs from virtual time by so much from now on.
  void SetClockOffset(std::chrono::microseconds offset) { clock_.offset = offset; }

  // The event happens if this process still lives then; afterwards what follows from it is carried out.
  void Post(nanoseconds delay, std::move_only_function<void()> event);
  // Commits, and tells if the process lived to hear of it.
  void Commit(storage::Commit commit, std::move_only_function<void(storage::StoreResult<storage::Committed>)> done);
  // The same as the APIs commit: answered when the pool's durability allows.
  void CommitDurably(storage::Commit commit, const replication::pb::RoleRecord& role,
                     std::move_only_function<void(replication::DurableCommitResult)> done);
  std::function<void()> on_crash;
  // A promise was answered, with the pool's head at that time.
  std::function<void(const replication::pb::PromiseAnswer&)> on_promise;
  // Called with each change of the store; on the process's own time.
  std::function<void(const storage::Notice&)> on_notice;

  replication::Instant Now() { return {clock_.Now(), scheduler_.now()}; }

  // MachineHost
  void Dial(const Region& peer, replication::LinkId link) override;
  void Close(replication::LinkId link) override;
  void Submit(storage::Commit commit, replication::Done<storage::Committed> done) override;
  void Apply(storage::AppliedEntries entries, replication::Done<storage::pb::Head> done) override;
  void MergeFacts(PoolId pool, std::vector<storage::pb::FactEntry> entries, replication::Done<void> done) override;
  void RunBlocking(std::move_only_function<storage::StoreResult<void>()> work, replication::Done<void> done) override;

  // From the network.
  void Accept(const Region& peer, replication::LinkId link);
  void Connected(replication::LinkId link);
  void Closed(replication::LinkId link);
  void Receive(replication::LinkId link, replication::pb::Frame frame);

 private:
  struct SimClock final : Clock {
    explicit SimClock(Scheduler& scheduler) : virtual_time(scheduler) {}
    Timestamp Now() override {
      return FromSeconds(1'800'000'000) + std::chrono::floor<std::chrono::microseconds>(virtual_time.now()) + offset;
    }
    nanoseconds SinceBoot() override { return virtual_time.now(); }
    Scheduler& virtual_time;
    std::chrono::microseconds offset{};
  };
  struct BlockingWork {
    std::move_only_function<storage::StoreResult<void>()> work;
    replication::Done<void> done;
  };

  void Tick();
  void KickCommitter();
  void StartBlockingWork();
  // Sends what the links take, and dies if a write met a fault.
  void Settle();
  void ForgetNewestFact();
  void ForgetPromises();

  // constant
  const Region name_;
  const std::vector<Region> peers_;
  Scheduler& scheduler_;
  Dice& dice_;
  Network& network_;
  Trace& trace_;
  const Plant plant_;
  const std::shared_ptr<storage::MemoryDisk> disk_;
  SimArchive archive_;

  SimClock clock_;
  std::uint64_t life_ = 0;
  std::optional<std::uint64_t> fault_at_;
  storage::WriteFault fault_ = storage::WriteFault::kNone;

  std::unique_ptr<storage::LocalStore> store_;
  std::unique_ptr<storage::Subscription> subscription_;
  // Outlives the machine, whose gate lets writers go when it dies.
  std::optional<replication::DurableCommits> commits_;
  std::unique_ptr<replication::Machine> machine_;
  std::set<replication::LinkId> links_;
  std::deque<BlockingWork> blocking_;
  bool blocking_busy_ = false;
  bool step_planned_ = false;
  // Not told to the machine yet.
  replication::News news_;
};

}  // namespace symbolon::simulation
