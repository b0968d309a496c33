// A few simulated Regions and one pool without chance: for tests that bring one situation about, step by step.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "network.h"
#include "plants.h"
#include "region.h"
#include "registers.h"
#include "replication/roles.h"
#include "scheduler.h"
#include "trace.h"

namespace symbolon::simulation {

class Stage {
 public:
  // All start, and have heard each other when the constructor returns. `automatic`: under an authority, with automatic
  // promotion, so long after a lease is gone; `plant`: in each of them. `tenure`: of whoever did so.
  explicit Stage(const std::vector<std::string_view>& names, bool automatic = false, Plant plant = Plant::kNone,
                 nanoseconds automatic_after = std::chrono::milliseconds(300),
                 std::chrono::seconds tenure = std::chrono::seconds(0));

  SimRegion& At(std::string_view name) { return *regions_.at(Region(std::string(name))); }
  Network& network() { return network_; }
  Registers& registers() { return registers_; }
  const PoolId& pool() const { return pool_; }

  // Time goes on until the condition holds. False: it does not within a minute.
  bool Until(const std::function<bool()>& condition);
  void For(nanoseconds duration);

  // The pool, led by the Region, with ACTIVE members that have it.
  void MakePool(std::string_view primary, const std::vector<std::string_view>& members);
  // Each is a commit in this Region, waited for; false: it failed.
  bool Write(std::string_view region, const Bytes& id, const Bytes& value = "value");
  // As the API does, with the durability that the pool asks for.
  bool WriteDurably(std::string_view region, const Bytes& id);
  // The same, of a process that may stand still at present: asked as soon as it goes on, before all that it is told
  // later. What is answered is the value, once it is known.
  std::shared_ptr<std::optional<bool>> AskToWriteDurably(std::string_view region, const Bytes& id);
  // `expires`: never, unless it is said.
  bool SayFact(std::string_view region, const Bytes& element, Timestamp expires = {});
  bool ChangeRole(
      std::string_view region,
      const std::function<replication::RoleResult<replication::pb::RoleRecord>(replication::pb::RoleRecord)>& change);
  bool TakeOver(std::string_view region);
  bool HandOver(std::string_view from, std::string_view to);
  // `asked` as its clients ask it; nullopt: it does not answer within a minute.
  std::optional<replication::ControlResult<replication::Promoted>> AskForHandOver(std::string_view asked,
                                                                                  std::string_view to);

  // The same, once the other Region says that it could lead it, as Replicator asks.
  std::optional<replication::ControlResult<replication::Promoted>> Promote(std::string_view asked, std::string_view to);
  // People's requests are not refused.
  bool Serves(std::string_view region);

  bool Holds(std::string_view region);
  bool Has(std::string_view region, const Bytes& id);
  bool HasFact(std::string_view region, const Bytes& element);
  // How far it has forgotten facts.
  Timestamp Horizon(std::string_view region);
  bool Admits(std::string_view region);
  std::optional<replication::pb::RoleRecord> RoleAt(std::string_view region);
  void CutOff(std::string_view region);

 private:
  bool Await(SimRegion& region, storage::Commit commit);
  storage::Commit CommitAt(SimRegion& region);

  Dice dice_{1};
  Scheduler scheduler_;
  Trace trace_{scheduler_, false};
  Network network_{scheduler_, dice_};
  Registers registers_{scheduler_, dice_, trace_};
  const PoolId pool_{"eu-central-1_Pool"};
  std::map<Region, std::unique_ptr<SimRegion>> regions_;
};

}  // namespace symbolon::simulation
