#include "simulation.h"

#include <algorithm>

namespace symbolon::simulation {
namespace {

constexpr nanoseconds kConvergenceLimit = std::chrono::seconds(90);
// Added to a seed it is the seed of the reads that fail.
constexpr std::uint64_t kReadSeeds = 1'000'000'007;

}  // namespace

Simulation::Simulation(std::uint64_t seed, Plant plant, bool print)
    : dice_(seed),
      trace_(scheduler_, print),
      network_(scheduler_, dice_),
      registers_(scheduler_, dice_, trace_),
      plant_(plant) {
  // Two to five, rather fewer.
  const std::uint64_t count = 2 + std::min(dice_.Below(4), dice_.Below(4));
  for (std::uint64_t i = 0; i < count; ++i) names_.emplace_back(std::string(kRegionNames[i]));
  hands_over_ = dice_.Chance(0.7);
  takes_over_ = hands_over_ && dice_.Chance(0.6);
  authority_ = dice_.Chance(0.4);
  automatic_ = authority_ && hands_over_ && dice_.Chance(0.7);
  calm_ = authority_ && dice_.Chance(0.7);
  sync_only_ = authority_ && dice_.Chance(0.5);
  withdraws_keys_ = dice_.Chance(0.4);
  if (Dice reads(seed + kReadSeeds); reads.Chance(0.3)) read_dice_.emplace(reads.Below(UINT64_MAX));
  registers_.ignores_leases = plant == Plant::kTakeDespiteLease;
  const auto authority = authority_ ? std::optional(SimAuthority{registers_, automatic_}) : std::nullopt;
  for (const Region& name : names_) {
    std::vector<Region> peers;
    std::ranges::copy_if(names_, std::back_inserter(peers), [&](const Region& peer) { return peer != name; });
    regions_[name] =
        std::make_unique<SimRegion>(name, peers, scheduler_, dice_, network_, trace_,
                                    static_cast<std::int64_t>(dice_.Between(0, 1'000)) - 500, plant, authority);
    Watch(*regions_[name]);
  }
}

Result Simulation::Run() {
  NetworkFaults faults;
  faults.loss = dice_.Chance(0.5) ? 0.004 : 0;
  faults.doubling = dice_.Chance(0.5) ? 0.02 : 0;
  faults.disorder = dice_.Chance(0.3) ? 0.004 : 0;
  network_.SetFaults(faults);
  if (dice_.Chance(0.25)) MixVersions();
  for (auto& [name, region] : regions_) Restart(*region);
  MakePools();
  ActLater();
  AbsorbLater();
  CheckLater();
  SpoilReadsLater();
  if (takes_over_ && dice_.Chance(0.5)) PlotSomething();
  const nanoseconds end_of_faults = scheduler_.now() + dice_.Micros(6'000'000, 20'000'000);
  while (result_.violation.empty() && scheduler_.RunOne(end_of_faults)) CheckLeases();
  Heal();
  const nanoseconds limit = scheduler_.now() + kConvergenceLimit;
  std::string missing = "nothing was tried";
  while (result_.violation.empty() && scheduler_.now() < limit && !missing.empty()) {
    const nanoseconds pause = scheduler_.now() + std::chrono::milliseconds(500);
    while (result_.violation.empty() && scheduler_.RunOne(pause)) CheckLeases();
    missing = NotConverged();
    if (!missing.empty()) CallOperator();
  }
  if (!missing.empty()) Fail("no convergence: {}", missing);
  if (result_.violation.empty()) OpenAgain();
  if (result_.violation.empty()) CheckAtEnd();
  for (auto& [name, region] : regions_) {
    result_.refused_locked += region->refused_locked;
    result_.reads_failed += region->bad_reads().count();
    if (!region->up()) continue;
    result_.Add(region->machine().Counters());
    if (const auto status = region->machine().AuthorityStatusNow(region->Now())) {
      result_.leases_lost += status->leases_lost;
      result_.automatic_promotions += status->automatic_promotions;
    }
  }
  result_.trace_digest = trace_.Digest();
  return result_;
}

}  // namespace symbolon::simulation
