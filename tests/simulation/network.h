// The network between simulated Regions: connections with delay, loss, doubling and disorder, and cuts in one
// direction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/ids.h"
#include "replication/link.pb.h"
#include "replication/session.h"
#include "scheduler.h"

namespace symbolon::simulation {

class SimRegion;

struct NetworkFaults {
  double loss = 0;
  double doubling = 0;
  double disorder = 0;
  nanoseconds latency_min = std::chrono::microseconds(200);
  nanoseconds latency_max = std::chrono::milliseconds(20);
};

class Network {
 public:
  Network(Scheduler& scheduler, Dice& dice) : scheduler_(scheduler), dice_(dice) {}

  void AddRegion(SimRegion& region);
  SimRegion& At(const Region& name) { return *regions_.at(name); }
  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }
  // Nothing gets from one to the other until Heal.
  void Cut(const Region& from, const Region& to) { cuts_.insert({from, to}); }
  void Heal(const Region& from, const Region& to) { cuts_.erase({from, to}); }
  void HealAll() { cuts_.clear(); }
  bool Reaches(const Region& from, const Region& to) const { return !cuts_.contains({from, to}); }

  // `link` is the dialling side's name for the connection.
  void Dial(SimRegion& from, const Region& to, replication::LinkId link);
  void Close(SimRegion& region, replication::LinkId link);
  // The process is gone; the peers may notice.
  void Crashed(SimRegion& region);
  // The link takes another frame.
  bool Takes(SimRegion& region, replication::LinkId link);
  void Send(SimRegion& region, replication::LinkId link, const replication::pb::Frame& frame);
  // One message beside the connections, which may be lost: the event happens when it arrives.
  void Carry(const Region& from, const Region& to, std::move_only_function<void()> event);
  std::function<void(const SimRegion& from, const SimRegion& to, const replication::pb::Frame&)> on_deliver;

 private:
  struct End {
    SimRegion* region = nullptr;
    std::uint64_t life = 0;
    replication::LinkId link = 0;
    bool open = false;
    // Of frames from this end.
    int under_way = 0;
    nanoseconds last_arrival{};
  };
  struct Connection {
    End ends[2];
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  nanoseconds Latency();
  // The connection and which end of it `region` has.
  std::pair<ConnectionPtr, int> Find(SimRegion& region, replication::LinkId link);
  void TellClosed(const ConnectionPtr& connection, int end);
  void Deliver(const ConnectionPtr& connection, int to, const replication::pb::Frame& frame);

  Scheduler& scheduler_;
  Dice& dice_;
  NetworkFaults faults_;
  std::map<Region, SimRegion*> regions_;
  std::set<std::pair<Region, Region>> cuts_;
  std::map<std::pair<Region, replication::LinkId>, std::pair<ConnectionPtr, int>> connections_;
  replication::LinkId next_accepted_ = 2;
};

}  // namespace symbolon::simulation
