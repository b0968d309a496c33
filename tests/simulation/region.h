// One simulated Region: a disk that survives, and a process on it (store, committer, replication machine) that may die
// at any write and between any two events, and stand still for a while. It drives the machine as production does, on
// virtual time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "network.h"
#include "plan_runner.h"
#include "plants.h"
#include "reads.h"
#include "registers.h"
#include "replication/durable_commits.h"
#include "replication/machine.h"
#include "scheduler.h"
#include "signatures.h"
#include "sim_clock.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "trace.h"
#include "versions.h"

namespace symbolon::simulation {

// The Regions of a run are the first ones.
inline constexpr std::string_view kRegionNames[] = {"eu-central-1", "us-east-1", "ap-south-1", "sa-east-1",
                                                    "af-south-1"};

// Small, so that copies have many pieces, windows close and logs are trimmed under those who lag.
replication::Options SmallOptions();

// An authority beside the operator, as a Region uses it.
struct SimAuthority {
  Registers& registers;
  bool automatic_promotion = false;
  // Shorter than what configuration allows: the lease alone has to do.
  nanoseconds automatic_promotion_after = std::chrono::milliseconds(300);
  std::chrono::seconds automatic_promotion_tenure{1};
};

// Suffixes that were set aside, as a disk keeps them.
class SimArchive final : public replication::SuffixArchive {
 public:
  storage::StoreResult<std::optional<storage::pb::Head>> Keep(storage::Store& store, const PoolId& pool,
                                                              std::uint64_t fork) override;
  // Digests of the heads whose suffixes were kept.
  std::map<PoolId, std::set<Bytes>> kept;
};

class SimRegion final : public replication::MachineHost {
 public:
  SimRegion(Region name, std::vector<Region> peers, Scheduler& scheduler, Dice& dice, Network& network, Trace& trace,
            std::int64_t clock_drift_ppm, Plant plant, const std::optional<SimAuthority>& authority = std::nullopt);
  ~SimRegion() override;

  const Region& name() const { return name_; }
  bool up() const { return store_ != nullptr; }
  // Counts the processes.
  std::uint64_t life() const { return life_; }
  storage::LocalStore& store() { return *store_; }
  replication::Machine& machine() { return *machine_; }
  PlanRunner& plans() { return *plans_; }
  storage::MemoryDisk& disk() { return *disk_; }
  const SimArchive& archive() const { return archive_; }
  // Of what its machine reads.
  BadReads& bad_reads() { return bad_reads_; }

  void Start();
  void Crash();
  // The process dies at the write with this number from now, before or after it is durable, or its sync fails.
  void PlanFault(storage::WriteFault fault, std::uint64_t writes_from_now);
  // Wall time is wrong by so much from now on.
  void SetClockOffset(std::chrono::microseconds offset) { clock_.SetOffset(offset); }
  // From its next start on, the process is of a version that speaks these.
  void SetVersions(const Versions& versions) { next_versions_ = versions; }
  const Versions& versions() const { return versions_; }
  // It knows fields that others do not.
  bool newer() const { return versions_.newer(); }
  // The process stands still, as after SIGSTOP: what happens to it meanwhile waits. Time goes on.
  void Pause(nanoseconds duration);
  // Keeps what is on the disk now.
  void TakeBackup();
  bool has_backup() const { return backup_ != nullptr; }
  // The process dies, and its disk with it; the next one starts on the backup, as another incarnation.
  void LoseDiskAndRestore();
  // The process dies, and somebody puts the backup in place of its disk and tells nobody.
  void SetBack();
  // Somebody says so, after all, while no process runs.
  void MarkRestored() { restored_ = true; }
  // As after the loss of the file that holds it, or with another disk.
  void DrawLogKey() { signer_ = std::make_unique<SimSigner>(dice_.random().Octets(replication::kLogKeyBytes), plant_); }
  // The process dies; while the next one lives, somebody who has its place in the network changes what it sends.
  void Hijack();
  // The impostor goes, whether a process ran meanwhile or not; one that did dies.
  void EndHijack();

  // ---- the key of a pool, as the Region's key service has it, whatever processes live (keys.cc) ----
  void WithdrawKey(const PoolId& pool);
  void RestoreKey(const PoolId& pool);
  // nullopt: it can be used.
  std::optional<nanoseconds> LockedSince(const PoolId& pool) const;
  bool Opens(const PoolId& pool) const { return !LockedSince(pool); }
  // What the process answers to the question whether it could lead the pool.
  bool MayLead(const PoolId& pool) const;
  // To hand it over would be this Region's to begin.
  bool BeginsHandOver(const PoolId& pool, const Region& to);
  // As replication::Replicator does before: then the other Region is asked whether it could lead the pool.
  void AskToLead(const PoolId& pool, const Region& to,
                 std::move_only_function<void(replication::ControlResult<void>)> done);
  // Requests that were refused because the pool was locked.
  std::uint64_t refused_locked = 0;

  // The event happens if this process still lives then; afterwards what follows from it is carried out.
  void Post(nanoseconds delay, std::move_only_function<void()> event);
  // Commits, and tells if the process lived to hear of it.
  void Commit(storage::Commit commit, std::move_only_function<void(storage::StoreResult<storage::Committed>)> done);
  // The same as the APIs commit: answered when the pool's durability allows.
  void CommitDurably(storage::Commit commit, const replication::pb::RoleRecord& role,
                     std::move_only_function<void(replication::DurableCommitResult)> done);
  // It is asked whether it could lead a pool that it is to take over by itself, among its blocking work.
  std::function<void(const PoolId&)> on_asked_to_lead;
  // The clients of these commits are told now: of changes in an epoch with this counter.
  std::function<void(const PoolId&, std::uint64_t epoch_counter)> on_answer;
  // The process may answer for changes of the pool now; nullopt where no authority decides that.
  std::optional<bool> MayWrite(const PoolId& pool) const;
  std::function<void()> on_crash;
  // Whatever leaves the process.
  std::function<void(const replication::pb::Frame&)> on_send;
  // A promise was answered, with the pool's head at that time.
  std::function<void(const replication::pb::PromiseAnswer&)> on_promise;
  // Called with each change of the store; on the process's own time.
  std::function<void(const storage::Notice&)> on_notice;

  replication::Instant Now() { return {clock_.Now(), clock_.SinceBoot()}; }

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
  struct BlockingWork {
    std::move_only_function<storage::StoreResult<void>()> work;
    replication::Done<void> done;
  };

  void StartMachine();
  // True: it is told so.
  template <class T>
  bool FailsToRead(replication::Done<T>& done);
  void Tick();
  void Take(replication::LinkId link, replication::pb::Frame frame);
  void KickCommitter();
  void StartBlockingWork();
  // Sends what the links take, and dies if a write met a fault.
  void Settle();
  bool paused() const { return scheduler_.now() < paused_until_; }
  // Now, or when the process goes on.
  void WhenAwake(std::uint64_t life, std::move_only_function<void()> event);

  // constant
  const Region name_;
  const std::vector<Region> peers_;
  Scheduler& scheduler_;
  Dice& dice_;
  Network& network_;
  Trace& trace_;
  const Plant plant_;
  const std::optional<SimAuthority> authority_;

  SimArchive archive_;
  SimClock clock_;
  std::unique_ptr<SimSigner> signer_;
  std::shared_ptr<storage::MemoryDisk> disk_;
  BadReads bad_reads_;
  std::shared_ptr<const storage::MemoryDisk> backup_;
  // The disk came out of a backup and was not started on yet.
  bool restored_ = false;
  bool hijack_next_ = false;
  bool hijacked_ = false;
  std::map<PoolId, nanoseconds> locked_since_;
  nanoseconds paused_until_{};
  Versions versions_;
  Versions next_versions_;
  std::uint64_t life_ = 0;
  std::optional<std::uint64_t> fault_at_;
  storage::WriteFault fault_ = storage::WriteFault::kNone;

  std::unique_ptr<storage::LocalStore> store_;
  // The same, as the machine reads it.
  std::unique_ptr<storage::Store> reading_store_;
  std::unique_ptr<storage::Subscription> subscription_;
  std::unique_ptr<replication::Registers> registers_;
  std::optional<replication::WriteLease> lease_;
  // Outlives the machine, whose gate lets writers go when it dies.
  std::optional<replication::DurableCommits> commits_;
  std::unique_ptr<replication::Machine> machine_;
  std::unique_ptr<PlanRunner> plans_;
  std::set<replication::LinkId> links_;
  std::deque<BlockingWork> blocking_;
  bool blocking_busy_ = false;
  bool step_planned_ = false;
  // Not told to the machine yet.
  replication::News news_;
};

}  // namespace symbolon::simulation
