// An authority on virtual time: registers and leases as a cluster with a majority keeps them, and what lies between it
// and the Regions.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "replication/registers.h"
#include "scheduler.h"
#include "trace.h"

namespace symbolon::simulation {

class SimRegion;

class Registers {
 public:
  Registers(Scheduler& scheduler, Dice& dice, Trace& trace) : scheduler_(scheduler), dice_(dice), trace_(trace) {}

  // Nothing of what the Region asks gets here, or no answer gets back, until Heal.
  void CutRequests(const Region& region) { cut_requests_.insert(region); }
  void CutAnswers(const Region& region) { cut_answers_.insert(region); }
  void Heal(const Region& region) {
    cut_requests_.erase(region);
    cut_answers_.erase(region);
  }
  // What the Region asks from now on is on its way for so much longer.
  void Delay(const Region& region, nanoseconds duration) { delays_[region] = duration; }
  // The cluster has no majority until then; leases last longer than they must then, never shorter.
  void Fail(nanoseconds duration);
  void HealAll();
  // A backup, and from then on the state that it shows: nobody knows what has happened since.
  void TakeBackup() { backup_ = {leases_, registers_, revision_}; }
  void Restore() { std::tie(leases_, registers_, revision_) = backup_; }
  // Others make changes until it has come to this revision.
  void ComeTo(replication::Revision revision) { revision_ = revision; }
  const replication::RegisterNews::Entry& Of(const PoolId& pool) const { return registers_.at(pool); }
  // A Region's lease was renewed, and the answer is not on its way yet.
  std::function<void(const Region&)> on_renewed;
  // A register has changed.
  std::function<void(const replication::RegisterNews::Entry&)> on_change;
  // A bug: all leases but the asker's own are taken to be gone.
  bool ignores_leases = false;

 private:
  friend class RegistersOf;
  struct Lease {
    Bytes session;
    nanoseconds ends_at{};
    // Names its life, from when it was not there to when it has run out.
    std::uint64_t life = 0;
  };
  struct Renewed {
    std::uint64_t life = 0;
    replication::Revision revision = 0;
  };
  bool Stands(const replication::Holder& holder) const;
  Renewed Hold(const replication::Holder& self, const Bytes& session, nanoseconds lease);
  replication::RegisterNews Read(replication::Revision since) const;
  std::optional<replication::Revision> Swap(const replication::RegisterSwap& swap);

  Scheduler& scheduler_;
  Dice& dice_;
  Trace& trace_;
  std::set<Region> cut_requests_;
  std::set<Region> cut_answers_;
  std::map<Region, nanoseconds> delays_;
  nanoseconds fails_until_{};
  std::map<replication::Holder, Lease> leases_;
  std::map<PoolId, replication::RegisterNews::Entry> registers_;
  replication::Revision revision_ = 1;
  std::tuple<std::map<replication::Holder, Lease>, std::map<PoolId, replication::RegisterNews::Entry>,
             replication::Revision>
      backup_;
};

// A Region's way to it.
class RegistersOf final : public replication::Registers {
 public:
  RegistersOf(simulation::Registers& cluster, SimRegion& region) : cluster_(cluster), region_(region) {}

  void Hold(const replication::Holder& self, const Bytes& session, std::chrono::seconds lease,
            replication::RegisterDone<replication::Held> done) override;
  void Read(replication::Revision since, replication::RegisterDone<replication::RegisterNews> done) override;
  void Swap(replication::RegisterSwap swap,
            replication::RegisterDone<std::optional<replication::Revision>> done) override;

 private:
  template <class T, class Operation>
  void Ask(Operation operation, replication::RegisterDone<T> done);

  simulation::Registers& cluster_;
  SimRegion& region_;
  // Of its lease, when a renewal was last answered.
  std::uint64_t held_life_ = 0;
};

}  // namespace symbolon::simulation
