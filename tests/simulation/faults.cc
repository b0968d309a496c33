// Accidents: of processes, disks, clocks and the network.
#include <algorithm>

#include "simulation.h"

namespace symbolon::simulation {

void Simulation::HaveAccident(SimRegion& region) {
  const std::uint64_t what = dice_.Below(130);
  if (what < 18) return region.Crash();
  if (what < 50) {
    static constexpr storage::WriteFault kFaults[] = {storage::WriteFault::kCrashBeforeDurable,
                                                      storage::WriteFault::kCrashAfterDurable,
                                                      storage::WriteFault::kCrashBeforeDurable,
                                                      storage::WriteFault::kCrashAfterDurable,
                                                      storage::WriteFault::kSyncFailsLost,
                                                      storage::WriteFault::kSyncFailsKept,
                                                      storage::WriteFault::kFull};
    return region.PlanFault(kFaults[dice_.Below(std::size(kFaults))], dice_.Below(12));
  }
  if (what < 80) return CutLater();
  if (what < 90) return JumpClock(region);
  if (what < 100) return region.Pause(dice_.Micros(1'000, 4'000'000));
  if (what < 105) return FillDisk(region);
  if (what < 111) return region.TakeBackup();
  if (what < 116) return LoseDisk(region);
  if (what >= 123) return Hijack(region);
  if (!region.up()) return;
  trace_.Say("{} forgets expired facts", region.name().value());
  region.Post(nanoseconds(0), [&region] {
    // Fails when the disk does.
    (void)region.store().ForgetExpiredFacts(region.Now().wall, 100);
  });
}

void Simulation::Hijack(SimRegion& region) {
  region.Hijack();
  scheduler_.After(dice_.Micros(1'000'000, 8'000'000), [&region] { region.EndHijack(); });
}

void Simulation::JumpClock(SimRegion& region) {
  trace_.Say("{}: the clock jumps", region.name().value());
  // Mostly by seconds, sometimes by minutes.
  const auto error_max = dice_.Chance(0.8) ? std::chrono::seconds(10) : kClockErrorMax;
  const auto error_max_ms = static_cast<std::uint64_t>(std::chrono::milliseconds(error_max).count());
  region.SetClockOffset(std::chrono::milliseconds(dice_.Between(0, 2 * error_max_ms)) - error_max);
}

void Simulation::FillDisk(SimRegion& region) {
  if (!region.up()) return;
  trace_.Say("{}: the disk is full", region.name().value());
  // The disk may be another one by then.
  region.disk().SetFull(true);
  scheduler_.After(dice_.Micros(10'000, 3'000'000), [&region] { region.disk().SetFull(false); });
}

void Simulation::SpoilReads(SimRegion& region) {
  static constexpr double kShares[] = {0.01, 0.1, 0.5, 1};
  const double share = kShares[read_dice_->Below(std::size(kShares))];
  trace_.Say("{}: {} of its reads fail", region.name().value(), share);
  region.bad_reads().Begin(share, read_dice_->Micros(10'000, 2'000'000), read_dice_->Below(UINT64_MAX));
}

void Simulation::SpoilReadsLater() {
  if (!read_dice_) return;
  scheduler_.After(read_dice_->Micros(100'000, 4'000'000), [this] {
    if (!faults_) return;
    SpoilReads(RegionOf(read_dice_->Pick(names_)));
    SpoilReadsLater();
  });
}

void Simulation::MixVersions() {
  static constexpr Versions kOthers[] = {{1, 2}, {0, 1}, {2, 2}};
  const Versions versions = kOthers[dice_.Below(std::size(kOthers))];
  const Region& name = dice_.Pick(names_);
  trace_.Say("{} speaks versions {} to {}", name.value(), versions.oldest, versions.newest);
  RegionOf(name).SetVersions(versions);
  network_.on_deliver = [this](const SimRegion& from, const SimRegion& to, const replication::pb::Frame& frame) {
    // Liveness is not told by version.
    if (frame.has_hello() || frame.has_heartbeat() || from.versions().Share(to.versions())) return;
    Fail("{} and {} speak no common version, and do not stop at that", from.name().value(), to.name().value());
  };
  // Sooner or later it is brought to a version that speaks with the others.
  scheduler_.After(dice_.Micros(0, 15'000'000), [this, name] { Upgrade(RegionOf(name)); });
}

void Simulation::Upgrade(SimRegion& region) {
  if (region.versions().oldest < 2) return;
  region.SetVersions({1, 2});
  region.Crash();
}

void Simulation::LoseDisk(SimRegion& region) {
  if (!region.up() || !region.has_backup()) return;
  CheckNothingReadable(region);
  for (const auto& pool : pools_) {
    // The backup may hold a pool that has left the Region since.
    std::vector<Bytes>& lost_heads = pool->lost_heads[region.name()];
    pool->facts.OnDiskLost(region.name());
    seen_.erase({region.name(), pool->id});
    promises_.erase({region.name(), pool->id});
    const auto held = durable_.find({region.name(), pool->id});
    if (held == durable_.end()) continue;
    const Bytes digest = held->second.digest();
    lost_heads.push_back(digest);
    // Nobody but a person may say who goes on.
    if (const auto role = RoleAt(region, pool->id); role && replication::LeaderOf(*role) == region.name()) {
      pool->forced = true;
    }
    durable_.erase(held);
    for (PoolModel::Write& write : pool->acknowledged) {
      // What one of its holders lost may not survive the loss of another.
      write.safe = write.safe && !pool->Contains(digest, write.digest);
      write.lost_with_disk =
          write.lost_with_disk || (pool->Contains(digest, write.digest) && !IsElsewhere(*pool, write.digest));
    }
  }
  ++result_.disks_lost;
  region.LoseDiskAndRestore();
}

bool Simulation::IsElsewhere(const PoolModel& pool, const Bytes& digest) const {
  return std::ranges::any_of(names_,
                             [&](const Region& name) {
                               const auto there = durable_.find({name, pool.id});
                               return there != durable_.end() && pool.Contains(there->second.digest(), digest);
                             }) ||
         IsSetAside(pool, digest);
}

bool Simulation::IsSetAside(const PoolModel& pool, const Bytes& digest) const {
  return std::ranges::any_of(regions_, [&](const auto& known) {
    const auto heads = known.second->archive().kept.find(pool.id);
    return heads != known.second->archive().kept.end() &&
           std::ranges::any_of(heads->second, [&](const Bytes& kept) { return pool.Contains(kept, digest); });
  });
}

void Simulation::CutLater() {
  const Region from = dice_.Pick(names_);
  const Region to = dice_.Pick(names_);
  if (from == to) return;
  Cut(from, to, dice_.Chance(0.5));
}

void Simulation::Cut(const Region& from, const Region& to, bool both) {
  trace_.Say("cut from {} to {}{}", from.value(), to.value(), both ? " and back" : "");
  network_.Cut(from, to);
  if (both) network_.Cut(to, from);
  scheduler_.After(dice_.Micros(100'000, 6'000'000), [this, from, to] {
    trace_.Say("healed from {} to {}", from.value(), to.value());
    network_.Heal(from, to);
    network_.Heal(to, from);
  });
}

void Simulation::Heal() {
  trace_.Say("all is healed");
  faults_ = false;
  network_.HealAll();
  registers_.HealAll();
  network_.SetFaults({});
  for (auto& [name, region] : regions_) {
    region->disk().SetFull(false);
    region->bad_reads().End();
    region->PlanFault(storage::WriteFault::kNone, 0);
    region->SetClockOffset({});
    Upgrade(*region);
    region->EndHijack();
  }
  // A Region comes to its end without the key, too.
  if (!withdraws_keys_) return;
  for (const auto& pool : pools_) {
    if (dice_.Chance(0.5)) RegionOf(dice_.Pick(names_)).WithdrawKey(pool->id);
  }
}

}  // namespace symbolon::simulation
