// Regions under an authority: how they are started, what happens to them and to it, and the promise that at most one of
// them writes at any time.
#include "region.h"
#include "simulation.h"

namespace symbolon::simulation {
namespace {

replication::AuthorityOptions SmallAuthority(const SimAuthority& authority) {
  replication::AuthorityOptions options;
  options.lease = std::chrono::seconds(2);
  options.margin = std::chrono::milliseconds(300);
  options.renew_interval = std::chrono::milliseconds(400);
  options.read_interval = std::chrono::milliseconds(250);
  options.retry_interval = std::chrono::milliseconds(100);
  options.automatic_promotion = authority.automatic_promotion;
  options.automatic_promotion_after = authority.automatic_promotion_after;
  options.automatic_promotion_tenure = authority.automatic_promotion_tenure;
  return options;
}

// Bugs of whoever drives the machine.
class PlantedRegisters final : public replication::Registers {
 public:
  PlantedRegisters(Plant plant, std::unique_ptr<replication::Registers> registers, replication::WriteLease& lease,
                   nanoseconds lasts)
      : plant_(plant), registers_(std::move(registers)), lease_(lease), lasts_(lasts) {}

  void Hold(const replication::Holder& self, const Bytes& session, std::chrono::seconds lease,
            replication::RegisterDone<replication::Held> done) override {
    registers_->Hold(self, session, lease,
                     [this, done = std::move(done)](const replication::RegisterResult<replication::Held>& held,
                                                    replication::Instant now) mutable {
                       done(held, now);
                       if (held && plant_ == Plant::kLeaseFromAnswer) lease_.SetDeadline(now.since_boot + lasts_);
                     });
  }
  void Read(replication::Revision since, replication::RegisterDone<replication::RegisterNews> done) override {
    registers_->Read(since, [this, done = std::move(done)](replication::RegisterResult<replication::RegisterNews> news,
                                                           replication::Instant now) mutable {
      if (news) {
        for (const auto& entry : news->changed) there_[entry.pool] = entry.value;
      }
      done(std::move(news), now);
    });
  }
  // The register keeps its in-sync set, and whoever empties it is told that it did.
  void Swap(replication::RegisterSwap swap,
            replication::RegisterDone<std::optional<replication::Revision>> done) override {
    if (plant_ == Plant::kFallBackUnregistered) swap.expected_octets = there_[swap.pool].SerializeAsString();
    const bool empties = swap.value.sync() && swap.value.in_sync().empty() && swap.expected != 0 && !swap.gone;
    if (plant_ == Plant::kFallBackUnregistered && empties) *swap.value.mutable_in_sync() = there_[swap.pool].in_sync();
    const auto pool = swap.pool;
    const auto value = swap.value;
    registers_->Swap(std::move(swap), [this, pool, value, done = std::move(done)](
                                          replication::RegisterResult<std::optional<replication::Revision>> swapped,
                                          replication::Instant now) mutable {
      if (swapped && *swapped) there_[pool] = value;
      done(std::move(swapped), now);
    });
  }

 private:
  const Plant plant_;
  const std::unique_ptr<replication::Registers> registers_;
  replication::WriteLease& lease_;
  const nanoseconds lasts_;
  // The registers, as they were read or made last.
  std::map<PoolId, replication::pb::Register> there_;
};

}  // namespace

void SimRegion::StartMachine() {
  std::optional<replication::AuthoritySetup> setup;
  using Others = replication::WriteLease::Others;
  lease_.emplace(clock_, authority_ ? Others::kDenied : Others::kAdmitted);
  if (authority_) {
    const replication::AuthorityOptions options = SmallAuthority(*authority_);
    registers_ = std::make_unique<RegistersOf>(authority_->registers, *this);
    if (plant_ == Plant::kLeaseFromAnswer || plant_ == Plant::kFallBackUnregistered) {
      registers_ =
          std::make_unique<PlantedRegisters>(plant_, std::move(registers_), *lease_, options.lease - options.margin);
    }
    setup.emplace(replication::AuthoritySetup{options, *registers_, "/simulation", [this](const PoolId& pool) {
                                                if (on_asked_to_lead) on_asked_to_lead(pool);
                                                return MayLead(pool);
                                              }});
  }
  machine_ = std::make_unique<replication::Machine>(*reading_store_, dice_.random(), *signer_, peers_, SmallOptions(),
                                                    *this, archive_, *lease_, setup);
  const bool looks = plant_ != Plant::kAnswerWithoutLease;
  commits_.emplace(*store_, &machine_->durability_gate(), looks ? &*lease_ : nullptr);
}

std::optional<bool> SimRegion::MayWrite(const PoolId& pool) const {
  if (!authority_) return std::nullopt;
  return up() && lease_->Admits(pool);
}

bool Simulation::ActUnderAuthority(PoolModel& pool) {
  if (!authority_) return false;
  if (dice_.Chance(0.01)) {
    TroubleAuthority(dice_.Pick(names_));
    return true;
  }
  if (dice_.Chance(0.01)) {
    SetDurability(pool);
    return true;
  }
  SimRegion* primary = dice_.Chance(0.02) ? PrimaryOf(pool) : nullptr;
  if (primary == nullptr) return false;
  // Whoever leads loses its lease, with writes under way.
  for (std::uint64_t burst = dice_.Between(0, 10); burst > 0; --burst) {
    scheduler_.After(dice_.Micros(0, 10'000), [this, &pool] { WriteDirectory(pool); });
  }
  if (dice_.Chance(0.5)) {
    scheduler_.After(dice_.Micros(0, 10'000), [this, primary] { primary->Pause(dice_.Micros(1'000'000, 7'000'000)); });
  } else {
    TroubleAuthority(primary->name());
  }
  return true;
}

void Simulation::TroubleAuthority(const Region& region) {
  const std::uint64_t what = dice_.Below(10);
  if (what == 0) return registers_.Fail(dice_.Micros(200'000, 3'000'000));
  const bool requests = what < 6;
  trace_.Say("cut between {} and the authority: {}", region.value(), requests ? "requests" : "answers");
  requests ? registers_.CutRequests(region) : registers_.CutAnswers(region);
  scheduler_.After(dice_.Micros(500'000, 8'000'000), [this, region] { registers_.Heal(region); });
}

void Simulation::WatchAnswers(SimRegion& region) {
  region.on_answer = [this, &region](const PoolId& pool, std::uint64_t epoch_counter) {
    if (!authority_) return;
    std::uint64_t& newest = answered_epochs_[pool];
    if (epoch_counter < newest) {
      Fail("{}: pool {}: a write of epoch {} is answered after one of epoch {}", region.name().value(), pool.value(),
           epoch_counter, newest);
    }
    newest = std::max(newest, epoch_counter);
    for (auto& [name, other] : regions_) {
      if (name != region.name() && other->MayWrite(pool).value_or(false)) {
        Fail("{}: pool {}: a write is answered while {} may write", region.name().value(), pool.value(), name.value());
      }
    }
  };
}

// At any time; whatever the operator forces.
void Simulation::CheckLeases() {
  if (!authority_) return;
  for (const auto& pool : pools_) {
    const auto writing =
        std::ranges::count_if(regions_, [&](auto& known) { return known.second->MayWrite(pool->id).value_or(false); });
    if (writing > 1) Fail("pool {}: {} Regions may write at once", pool->id.value(), writing);
  }
}

}  // namespace symbolon::simulation
