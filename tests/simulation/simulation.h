// One seeded run of several Regions in one process (replication protocol §9): a workload, faults, healing; the promises
// of architecture §8 that concern replication are checked all the way, and convergence at the end.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model.h"
#include "network.h"
#include "people.h"
#include "region.h"
#include "registers.h"
#include "replication/forwarding.h"
#include "result.h"
#include "scheduler.h"
#include "trace.h"

namespace symbolon::simulation {

// No clock is wrong by more.
inline constexpr std::chrono::minutes kClockErrorMax{5};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Plant plant, bool print);
  Result Run();

 private:
  using RoleChange = std::function<replication::RoleResult<replication::pb::RoleRecord>(replication::pb::RoleRecord)>;

  // ---- clients and operators (workload.cc) ----
  void MakePools();
  void ActLater();
  void Act();
  void WriteDirectory(PoolModel& pool);
  void WriteFact(PoolModel& pool, SimRegion& region);
  // As node/federation.h does, in every process.
  void AbsorbLater();
  void ChangeMembers(PoolModel& pool);
  void ProposeState(PoolModel& pool);
  void SetDurability(PoolModel& pool);
  void DeletePool(PoolModel& pool);
  void OnFactAnswer(PoolModel& pool, SimRegion& region, const storage::FactChange& fact);
  void OnDurableAnswer(PoolModel& pool, SimRegion& region, replication::pb::Durability mode,
                       const replication::DurableCommitResult& result);
  void OnAnswer(PoolModel& pool, SimRegion& region, const storage::StoreResult<storage::Committed>& result,
                bool safe = false);
  // A Region that takes itself for the primary and admits writes; nullptr: there is none.
  SimRegion* PrimaryOf(PoolModel& pool);
  // One that does what clients and operators ask of it.
  SimRegion* OpenPrimaryOf(PoolModel& pool);
  bool Admits(SimRegion& region, const PoolId& pool);

  // ---- writes that a secondary passes on to the primary (forwarding.cc) ----
  struct ForwardedWrite;
  // What a Region has waited for to serve it.
  struct ForwardLooks {
    bool waited_for_gate = false;
    bool waited_for_entry = false;
  };
  void ForwardWrite(PoolModel& pool, SimRegion& region);
  void PassOn(const std::shared_ptr<ForwardedWrite>& write);
  void ServeForwarded(const std::shared_ptr<ForwardedWrite>& write, SimRegion& region, ForwardLooks looks,
                      const std::function<void(replication::pb::ControlAnswer)>& reply);
  void CommitForwarded(const std::shared_ptr<ForwardedWrite>& write, SimRegion& region,
                       const replication::pb::RoleRecord& role,
                       const std::function<void(replication::pb::ControlAnswer)>& reply);
  void OnForwardReply(const std::shared_ptr<ForwardedWrite>& write, replication::ForwardReply reply);

  // ---- records that are erased (erasures.cc) ----
  struct Erasure {
    PoolModel* pool;
    // type ‖ id
    Bytes key;
    // The entry that deleted it.
    Bytes digest;
    std::uint64_t sequence = 0;
    // Who said that it was done.
    std::set<Region> erased = {};
    bool final = false;
  };
  void Erase(PoolModel& pool);
  void Pursue(Erasure& erasure);
  bool HasReached(const Erasure& erasure, SimRegion& region);
  void AskMembers(Erasure& erasure, SimRegion& primary, const replication::pb::RoleRecord& role);
  void EraseIn(Erasure& erasure, SimRegion& region);
  void CheckErased(const Erasure& erasure);

  // ---- accidents (faults.cc) ----
  void HaveAccident(SimRegion& region);
  // Somebody sits on the Region's link for a while.
  void Hijack(SimRegion& region);
  void JumpClock(SimRegion& region);
  void FillDisk(SimRegion& region);
  // Some of what the Region reads of its store cannot be read for a while, or nothing.
  void SpoilReads(SimRegion& region);
  void SpoilReadsLater();
  // One Region runs another version.
  void MixVersions();
  void Upgrade(SimRegion& region);
  void LoseDisk(SimRegion& region);
  bool IsElsewhere(const PoolModel& pool, const Bytes& digest) const;
  bool IsSetAside(const PoolModel& pool, const Bytes& digest) const;
  void CutLater();
  void Cut(const Region& from, const Region& to, bool both);
  void Heal();

  void ChangeRole(PoolModel& pool, const RoleChange& change);
  std::optional<replication::pb::RoleRecord> RoleAt(SimRegion& region, const PoolId& pool);
  // With the role record in its read set, as every commit of a pool has it.
  static storage::Commit CommitOn(storage::Store& store, const PoolId& pool);

  // ---- keys that are withdrawn (keys.cc) ----
  // In one Region or in all, for a while.
  void WithdrawKey(PoolModel& pool);
  std::vector<Region> ActiveReplicas(PoolModel& pool);
  // What was locked until all came together is opened, and has to serve people.
  void OpenAgain();
  void CheckServes(PoolModel& pool, SimRegion& region);

  // ---- an authority (authority.cc) ----
  // True: something happened.
  bool ActUnderAuthority(PoolModel& pool);
  void TroubleAuthority(const Region& region);
  void WatchAnswers(SimRegion& region);
  // At most one Region may write.
  void CheckLeases();

  // ---- changes of the primary (promotions.cc) ----
  void CallOperator();
  void HandOver(PoolModel& pool);
  void HandOverTo(PoolModel& pool, const Region& to);
  struct HandOverAsking {
    Region to;
    // It was not under way, or done, when somebody asked for it.
    bool begins = false;
    // The pool's key was withdrawn there by then.
    std::optional<nanoseconds> locked_since;
  };
  // `meanwhile`: what happens when it begins.
  void AskForHandOver(PoolModel& pool, SimRegion& asked, const Region& to, std::function<void()> meanwhile = {});
  void TroubleHandOver(SimRegion& primary, SimRegion& to);
  void HandOverFrom(PoolModel& pool, SimRegion& asked, const HandOverAsking& asking);
  void CheckHandOverAnswer(PoolModel& pool, SimRegion& asked, const HandOverAsking& asking,
                           const replication::ControlResult<replication::Promoted>& result, bool refused_at_once);
  void CheckPending(const PoolModel& pool);
  void TakeOver(PoolModel& pool, SimRegion& region);
  bool MayTakeOver(const PoolModel& pool, const Region& region) const;

  // ---- what chance alone seldom brings about (plots.cc) ----
  void PlotSomething();
  void ReturnAfterTwoEpochs(PoolModel& pool);
  void FailOverAndBackAndOver(PoolModel& pool);
  void PromoteDuringCopy(PoolModel& pool);
  void PromoteAllAtOnce(PoolModel& pool);
  void ComeAndGo(PoolModel& pool);
  // The process dies, and does not start again so soon.
  void Kill(SimRegion& region, nanoseconds duration);

  // ---- promises (promises.cc) ----
  void Watch(SimRegion& region);
  void Restart(SimRegion& region);
  void CheckRegion(SimRegion& region);
  void CheckAcknowledgements();
  // A write that is answered as durable elsewhere is.
  void CheckSurvives(const PoolModel& pool, SimRegion& primary, std::uint64_t sequence);
  void CheckPrimaries();
  void OnHead(SimRegion& region, PoolModel& pool, const storage::pb::Head& head);
  void LearnFacts(SimRegion& region, PoolModel& pool);
  // Promise 7.
  void CheckFrame(const replication::pb::Frame& frame);
  void CheckNothingReadable(SimRegion& region);
  // Facts are the join of what was heard.
  void CheckFacts(SimRegion& region);
  void CheckLater();

  // ---- in the end (convergence.cc) ----
  // Empty: everything is everywhere where it has to be, and nowhere else.
  std::string NotConverged();
  bool LeadsItsBackup(const PoolModel& pool, SimRegion& region, SimRegion& primary);
  std::string NotConverged(PoolModel& pool);
  // Once everything is everywhere.
  void CheckAtEnd();
  std::string FactsMissing(PoolModel& pool, SimRegion& region);
  std::string BranchesTorn(const PoolModel& pool, const Bytes& head_digest);
  bool IsWithFormerMember(const PoolModel& pool, const replication::pb::RoleRecord& role, const Bytes& digest) const;
  std::string WritesMissing(PoolModel& pool, const replication::pb::RoleRecord& role, const Bytes& head_digest);
  template <class... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    if (!result_.violation.empty()) return;
    result_.violation = fmt::format(format, std::forward<Args>(args)...);
    trace_.Say("VIOLATION: {}", result_.violation);
  }
  SimRegion& RegionOf(const Region& name) { return *regions_.at(name); }

  Dice dice_;
  Scheduler scheduler_;
  Trace trace_;
  Network network_;
  Registers registers_;
  std::vector<Region> names_;
  std::map<Region, std::unique_ptr<SimRegion>> regions_;
  std::vector<std::unique_ptr<PoolModel>> pools_;
  std::map<PoolId, std::unique_ptr<People>> people_;
  std::vector<std::unique_ptr<Erasure>> erasures_;
  // The furthest position seen in a Region, while it holds the pool.
  std::map<std::pair<Region, PoolId>, storage::pb::Head> seen_;
  // The highest epoch that a Region promised to another, and its head then.
  struct Promise {
    storage::pb::Epoch epoch;
    Bytes head_digest;
  };
  std::map<std::pair<Region, PoolId>, Promise> promises_;
  const Plant plant_;
  // The newest epoch in which a write was answered.
  std::map<PoolId, std::uint64_t> answered_epochs_;
  // What was last made durable.
  std::map<std::pair<Region, PoolId>, storage::pb::Head> durable_;
  nanoseconds operator_at_{};
  // Nobody starts the Region's process before.
  std::map<Region, nanoseconds> down_until_;
  // Of this seed.
  bool hands_over_ = false;
  bool takes_over_ = false;
  bool authority_ = false;
  bool automatic_ = false;
  // Durability is SYNC, or becomes it.
  bool sync_only_ = false;
  // Processes live longer than leases.
  bool calm_ = false;
  bool withdraws_keys_ = false;
  bool faults_ = true;
  // Of seeds with reads that fail; apart, so that what else happens to a seed is the same without.
  std::optional<Dice> read_dice_;
  std::uint64_t serial_ = 0;
  Result result_;
};

}  // namespace symbolon::simulation
