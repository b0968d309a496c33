#include "registers.h"

#include <memory>
#include <utility>

#include "region.h"

namespace symbolon::simulation {
namespace {

using replication::Holder;
using replication::RegisterNews;
using replication::Revision;

constexpr nanoseconds kCallLimit = std::chrono::milliseconds(500);
constexpr std::uint64_t kCluster = 7;

}  // namespace

void Registers::Fail(nanoseconds duration) {
  trace_.Say("the authority has no majority");
  fails_until_ = scheduler_.now() + duration;
  // Whoever leads it next counts leases from the beginning.
  for (auto& [holder, lease] : leases_) {
    if (Stands(holder)) lease.ends_at += duration;
  }
}

void Registers::HealAll() {
  cut_requests_.clear();
  cut_answers_.clear();
  fails_until_ = {};
}

bool Registers::Stands(const Holder& holder) const {
  const auto lease = leases_.find(holder);
  return lease != leases_.end() && scheduler_.now() < lease->second.ends_at;
}

Registers::Renewed Registers::Hold(const Holder& self, const Bytes& session, nanoseconds lease) {
  Lease& held = leases_[self];
  ++revision_;
  if (!Stands(self) || held.session != session) held.life = revision_;
  held.session = session;
  // Its clock may be a little faster than the holder's.
  held.ends_at = scheduler_.now() + lease - dice_.Micros(0, 100'000);
  if (on_renewed) on_renewed(self.region);
  return {held.life, revision_};
}

RegisterNews Registers::Read(Revision since) const {
  RegisterNews news{.revision = revision_, .cluster = kCluster, .holders = {}, .changed = {}};
  for (const auto& [holder, lease] : leases_) {
    if (Stands(holder) && !ignores_leases) news.holders.insert(holder);
  }
  for (const auto& [pool, entry] : registers_) {
    if (entry.revision > since) news.changed.push_back(entry);
  }
  return news;
}

std::optional<Revision> Registers::Swap(const replication::RegisterSwap& swap) {
  const auto found = registers_.find(swap.pool);
  const Revision revision = found == registers_.end() ? 0 : found->second.revision;
  const Bytes octets = found == registers_.end() ? Bytes() : found->second.octets;
  const bool may = ignores_leases || (Stands(swap.self) && leases_[swap.self].session == swap.session &&
                                      !(swap.gone && Stands(*swap.gone)));
  if (revision != swap.expected || octets != swap.expected_octets || !may) return std::nullopt;
  registers_[swap.pool] = {swap.pool, ++revision_, swap.value, swap.value.SerializeAsString()};
  trace_.Say("register of {}: epoch {} of {}{}", swap.pool.value(), swap.value.epoch().counter(),
             swap.value.epoch().region(), swap.value.released() ? ", released" : "");
  if (on_change) on_change(registers_[swap.pool]);
  return revision_;
}

template <class T, class Operation>
void RegistersOf::Ask(Operation operation, replication::RegisterDone<T> done) {
  // This object goes with the process that asked; what is under way does not.
  simulation::Registers& cluster = cluster_;
  SimRegion& region = region_;
  // Told once, by the answer or by the end of patience.
  auto told = std::make_shared<replication::RegisterDone<T>>(std::move(done));
  const auto tell = [&region, told](nanoseconds delay, replication::RegisterResult<T> result) {
    region.Post(delay, [&region, told, result = std::move(result)]() mutable {
      if (!*told) return;
      std::exchange(*told, nullptr)(std::move(result), region.Now());
    });
  };
  tell(kCallLimit, Err(replication::RegisterError{"no answer in time"}));
  const auto delay = cluster.delays_.find(region.name());
  const nanoseconds on_its_way =
      cluster.dice_.Micros(300, 30'000) + (delay == cluster.delays_.end() ? nanoseconds(0) : delay->second);
  cluster.scheduler_.After(
      on_its_way, [&cluster, &region, operation = std::move(operation), tell, life = region.life()]() mutable {
        if (cluster.cut_requests_.contains(region.name()) || cluster.scheduler_.now() < cluster.fails_until_) return;
        auto result = operation(cluster);
        if (cluster.cut_answers_.contains(region.name()) || region.life() != life) return;
        tell(cluster.dice_.Micros(300, 30'000), std::move(result));
      });
}

void RegistersOf::Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease,
                       replication::RegisterDone<replication::Held> done) {
  Ask<simulation::Registers::Renewed>(
      [self, session, lease](simulation::Registers& cluster) { return cluster.Hold(self, session, lease); },
      [this, done = std::move(done)](const replication::RegisterResult<simulation::Registers::Renewed>& renewed,
                                     replication::Instant now) mutable {
        if (!renewed) return done(Err(renewed.error()), now);
        const bool all_the_time = std::exchange(held_life_, renewed->life) == renewed->life;
        done(replication::Held{.all_the_time = all_the_time, .revision = renewed->revision}, now);
      });
}

void RegistersOf::Read(Revision since, replication::RegisterDone<RegisterNews> done) {
  Ask<RegisterNews>([since](simulation::Registers& cluster) { return cluster.Read(since); }, std::move(done));
}

void RegistersOf::Swap(replication::RegisterSwap swap, replication::RegisterDone<std::optional<Revision>> done) {
  Ask<std::optional<Revision>>([swap = std::move(swap)](simulation::Registers& cluster) { return cluster.Swap(swap); },
                               std::move(done));
}

}  // namespace symbolon::simulation
