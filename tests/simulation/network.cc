#include "network.h"

#include <algorithm>

#include "region.h"

namespace symbolon::simulation {
namespace {

// What a connection holds in each direction before it takes no more.
constexpr int kUnderWayMax = 8;
// Calls are made over connections that end in their middle.
constexpr double kCallLoss = 0.01;
constexpr nanoseconds kDialTimeout = std::chrono::milliseconds(1'500);

}  // namespace

void Network::AddRegion(SimRegion& region) { regions_[region.name()] = &region; }

nanoseconds Network::Latency() {
  return nanoseconds(dice_.Between(static_cast<std::uint64_t>(faults_.latency_min.count()),
                                   static_cast<std::uint64_t>(faults_.latency_max.count())));
}

std::pair<Network::ConnectionPtr, int> Network::Find(SimRegion& region, replication::LinkId link) {
  const auto found = connections_.find({region.name(), link});
  return found == connections_.end() ? std::pair<ConnectionPtr, int>(nullptr, 0) : found->second;
}

void Network::Dial(SimRegion& from, const Region& to, replication::LinkId link) {
  auto connection = std::make_shared<Connection>();
  connection->ends[0] = {.region = &from, .life = from.life(), .link = link, .open = true};
  connections_[{from.name(), link}] = {connection, 0};
  SimRegion* target = regions_.at(to);
  scheduler_.After(Latency(), [this, connection, target] {
    End& dialler = connection->ends[0];
    const Region& from_name = dialler.region->name();
    if (!Reaches(from_name, target->name()) || !Reaches(target->name(), from_name) || !target->up()) {
      scheduler_.After(target->up() ? kDialTimeout : Latency(), [this, connection] { TellClosed(connection, 0); });
      return;
    }
    if (!dialler.open) return;
    End& listener = connection->ends[1];
    listener = {.region = target, .life = target->life(), .link = next_accepted_, .open = true};
    next_accepted_ += 2;
    connections_[{target->name(), listener.link}] = {connection, 1};
    const nanoseconds back = Latency();
    // Nothing comes over a connection that does not stand yet.
    listener.last_arrival = scheduler_.now() + back;
    scheduler_.After(back, [connection] {
      const End& end = connection->ends[0];
      if (end.open && end.region->life() == end.life) end.region->Connected(end.link);
    });
    target->Accept(from_name, listener.link);
  });
}

void Network::TellClosed(const ConnectionPtr& connection, int end) {
  End& told = connection->ends[end];
  if (told.region == nullptr || !told.open) return;
  told.open = false;
  connections_.erase({told.region->name(), told.link});
  if (told.region->life() == told.life && told.region->up()) told.region->Closed(told.link);
}

void Network::Close(SimRegion& region, replication::LinkId link) {
  const auto [connection, end] = Find(region, link);
  if (!connection) return;
  connection->ends[end].open = false;
  connections_.erase({region.name(), link});
  const End& other = connection->ends[1 - end];
  if (other.region == nullptr || !Reaches(region.name(), other.region->name())) return;
  scheduler_.After(Latency(), [this, connection, to = 1 - end] { TellClosed(connection, to); });
}

void Network::Crashed(SimRegion& region) {
  std::vector<replication::LinkId> links;
  for (const auto& [key, connection] : connections_) {
    if (key.first == region.name()) links.push_back(key.second);
  }
  for (replication::LinkId link : links) {
    const auto [connection, end] = Find(region, link);
    connection->ends[end].open = false;
    connections_.erase({region.name(), link});
    const End& other = connection->ends[1 - end];
    // The other host may never hear of it: power is gone, or the network is.
    if (other.region == nullptr || !Reaches(region.name(), other.region->name()) || dice_.Chance(0.3)) continue;
    scheduler_.After(Latency(), [this, connection, to = 1 - end] { TellClosed(connection, to); });
  }
}

bool Network::Takes(SimRegion& region, replication::LinkId link) {
  const auto [connection, end] = Find(region, link);
  return connection && connection->ends[end].under_way < kUnderWayMax;
}

void Network::Send(SimRegion& region, replication::LinkId link, const replication::pb::Frame& frame) {
  const auto [connection, end] = Find(region, link);
  if (!connection) return;
  End& sender = connection->ends[end];
  ++sender.under_way;
  const nanoseconds latency = Latency();
  nanoseconds arrival = std::max(scheduler_.now() + latency, sender.last_arrival);
  if (dice_.Chance(faults_.disorder)) {
    arrival += dice_.Micros(1'000, 50'000);
  } else {
    sender.last_arrival = arrival;
  }
  const bool lost = dice_.Chance(faults_.loss);
  scheduler_.After(arrival - scheduler_.now(), [this, connection, from = end, lost, frame] {
    --connection->ends[from].under_way;
    if (!lost) Deliver(connection, 1 - from, frame);
    // There is room for another one.
    const End& back = connection->ends[from];
    if (back.open && back.region->life() == back.life) back.region->Post(nanoseconds(0), [] {});
  });
  if (dice_.Chance(faults_.doubling)) {
    scheduler_.After(arrival - scheduler_.now() + dice_.Micros(0, 30'000),
                     [this, connection, to = 1 - end, frame] { Deliver(connection, to, frame); });
  }
}

void Network::Carry(const Region& from, const Region& to, std::move_only_function<void()> event) {
  const bool lost = dice_.Chance(std::max(faults_.loss, kCallLoss));
  scheduler_.After(Latency(), [this, from, to, lost, event = std::move(event)]() mutable {
    if (!lost && Reaches(from, to)) event();
  });
}

void Network::Deliver(const ConnectionPtr& connection, int to, const replication::pb::Frame& frame) {
  const End& receiver = connection->ends[to];
  const End& sender = connection->ends[1 - to];
  if (receiver.region == nullptr || !receiver.open || receiver.region->life() != receiver.life ||
      !receiver.region->up())
    return;
  if (!Reaches(sender.region->name(), receiver.region->name())) return;
  if (on_deliver) on_deliver(*sender.region, *receiver.region, frame);
  receiver.region->Receive(receiver.link, frame);
}

}  // namespace symbolon::simulation
