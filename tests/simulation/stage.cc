#include "stage.h"

#include <algorithm>
#include <utility>

#include "storage/horizon.h"

namespace symbolon::simulation {
namespace {

constexpr std::uint16_t kRecordType = 60;
constexpr std::uint16_t kFactType = 50;
constexpr nanoseconds kPatience = std::chrono::minutes(1);

}  // namespace

Stage::Stage(const std::vector<std::string_view>& names, bool automatic, Plant plant, nanoseconds automatic_after,
             std::chrono::seconds tenure) {
  const auto authority =
      automatic ? std::optional(SimAuthority{registers_, true, automatic_after, tenure}) : std::nullopt;
  for (const std::string_view name : names) {
    std::vector<Region> peers;
    for (const std::string_view peer : names) {
      if (peer != name) peers.emplace_back(std::string(peer));
    }
    const Region region{std::string(name)};
    regions_[region] =
        std::make_unique<SimRegion>(region, peers, scheduler_, dice_, network_, trace_, 0, plant, authority);
  }
  for (auto& [name, region] : regions_) region->Start();
  For(std::chrono::seconds(1));
}

bool Stage::Until(const std::function<bool()>& condition) {
  const nanoseconds limit = scheduler_.now() + kPatience;
  while (!condition()) {
    if (!scheduler_.RunOne(limit)) return condition();
  }
  return true;
}

void Stage::For(nanoseconds duration) {
  const nanoseconds end = scheduler_.now() + duration;
  while (scheduler_.RunOne(end)) {
  }
}

storage::Commit Stage::CommitAt(SimRegion& region) {
  storage::Commit commit;
  commit.pool = pool_;
  commit.snapshot_version = region.store().MakeSnapshot()->version();
  return commit;
}

bool Stage::Await(SimRegion& region, storage::Commit commit) {
  std::optional<bool> committed;
  region.Commit(std::move(commit), [&](const auto& result) { committed = result.has_value(); });
  return Until([&] { return committed.has_value(); }) && *committed;
}

void Stage::MakePool(std::string_view primary, const std::vector<std::string_view>& members) {
  SimRegion& region = At(primary);
  replication::pb::RoleRecord role = replication::NewRoleRecord(region.name());
  for (const std::string_view member : members) {
    role = *replication::AddMember(std::move(role), Region(std::string(member)), region.Now().wall);
  }
  storage::Commit commit = CommitAt(region);
  commit.start_epoch_counter = 1;
  commit.directory.push_back(
      {{storage::Space::kDirectory, pool_, replication::kRoleRecordType, Bytes()}, replication::SerializeRole(role)});
  SYMBOLON_CHECK(Await(region, std::move(commit)));
  for (const std::string_view member : members) {
    const Region name{std::string(member)};
    SYMBOLON_CHECK(
        Until([&] { return replication::RoleOf(*RoleAt(primary), name).state == replication::pb::INACTIVE; }));
    SYMBOLON_CHECK(ChangeRole(primary, [&](replication::pb::RoleRecord record) {
      return replication::SetMemberState(std::move(record), name, replication::pb::ACTIVE);
    }));
  }
  // Everybody has the last of it.
  SYMBOLON_CHECK(Until([&] {
    return std::ranges::all_of(members, [&](std::string_view member) {
      const auto role = RoleAt(member);
      return role && role->SerializeAsString() == RoleAt(primary)->SerializeAsString();
    });
  }));
  For(std::chrono::seconds(1));
}

bool Stage::Write(std::string_view name, const Bytes& id, const Bytes& value) {
  storage::Commit commit = CommitAt(At(name));
  commit.directory.push_back({{storage::Space::kDirectory, pool_, kRecordType, id}, value});
  return Await(At(name), std::move(commit));
}

bool Stage::WriteDurably(std::string_view name, const Bytes& id) {
  const auto done = AskToWriteDurably(name, id);
  return Until([&] { return done->has_value(); }) && **done;
}

std::shared_ptr<std::optional<bool>> Stage::AskToWriteDurably(std::string_view name, const Bytes& id) {
  const auto done = std::make_shared<std::optional<bool>>();
  SimRegion& region = At(name);
  region.Post(nanoseconds(0), [this, &region, done, id, role = *RoleAt(name)] {
    storage::Commit commit = CommitAt(region);
    commit.directory.push_back({{storage::Space::kDirectory, pool_, kRecordType, id}, "value"});
    region.CommitDurably(std::move(commit), role, [done](const auto& result) { *done = result.has_value(); });
  });
  return done;
}

bool Stage::SayFact(std::string_view name, const Bytes& element, Timestamp expires) {
  storage::Commit commit = CommitAt(At(name));
  commit.facts.push_back({{storage::Space::kFact, pool_, kFactType, "subject"}, {}});
  commit.facts.back().value.add_elements(element);
  commit.facts.back().value.set_expires_at_micros(ToMicros(expires));
  return Await(At(name), std::move(commit));
}

bool Stage::ChangeRole(
    std::string_view name,
    const std::function<replication::RoleResult<replication::pb::RoleRecord>(replication::pb::RoleRecord)>& change) {
  const auto changed = change(*RoleAt(name));
  if (!changed) return false;
  storage::Commit commit = CommitAt(At(name));
  commit.directory.push_back({{storage::Space::kDirectory, pool_, replication::kRoleRecordType, Bytes()},
                              replication::SerializeRole(*changed)});
  return Await(At(name), std::move(commit));
}

bool Stage::TakeOver(std::string_view name) {
  std::optional<bool> done;
  SimRegion& region = At(name);
  region.Post(nanoseconds(0), [&] {
    region.machine().TakeOver(
        pool_, /*accept_loss=*/true, [&](const auto& result) { done = result.has_value(); }, region.Now());
  });
  return Until([&] { return done.has_value(); }) && *done;
}

bool Stage::HandOver(std::string_view from, std::string_view to) {
  const auto answer = AskForHandOver(from, to);
  return answer && answer->has_value();
}

std::optional<replication::ControlResult<replication::Promoted>> Stage::AskForHandOver(std::string_view asked,
                                                                                       std::string_view to) {
  const auto answer = std::make_shared<std::optional<replication::ControlResult<replication::Promoted>>>();
  SimRegion& region = At(asked);
  region.Post(nanoseconds(0), [this, &region, answer, to = Region(std::string(to))] {
    region.machine().HandOver(
        region.name(), pool_, to, [answer](auto result) { answer->emplace(std::move(result)); }, region.Now());
  });
  Until([&] { return answer->has_value(); });
  return *answer;
}

std::optional<replication::ControlResult<replication::Promoted>> Stage::Promote(std::string_view asked,
                                                                                std::string_view to) {
  const auto answer = std::make_shared<std::optional<replication::ControlResult<replication::Promoted>>>();
  SimRegion& region = At(asked);
  region.Post(nanoseconds(0), [this, &region, answer, to = Region(std::string(to))] {
    region.AskToLead(pool_, to, [this, &region, answer, to](replication::ControlResult<void> may) {
      if (!may) return void(answer->emplace(Err(std::move(may).error())));
      region.machine().HandOver(
          region.name(), pool_, to, [answer](auto result) { answer->emplace(std::move(result)); }, region.Now());
    });
  });
  Until([&] { return answer->has_value(); });
  return *answer;
}

bool Stage::Serves(std::string_view name) {
  std::optional<bool> served;
  SimRegion& region = At(name);
  region.Post(nanoseconds(0), [&] {
    region.plans().Run(
        pool_, [](const auth::Context&) { return false; },
        [&](const std::optional<Served>& answer) { served = answer.has_value(); });
  });
  return Until([&] { return served.has_value(); }) && *served;
}

bool Stage::Holds(std::string_view name) {
  return At(name).up() && At(name).store().MakeSnapshot()->Head(pool_).value().has_value();
}

bool Stage::Has(std::string_view name, const Bytes& id) {
  return At(name).store().MakeSnapshot()->Get({storage::Space::kDirectory, pool_, kRecordType, id}).value().has_value();
}

bool Stage::HasFact(std::string_view name, const Bytes& element) {
  const auto stored =
      At(name).store().MakeSnapshot()->Get({storage::Space::kFact, pool_, kFactType, "subject"}).value();
  storage::pb::FactValue value;
  return stored && value.ParseFromString(*stored) &&
         std::ranges::find(value.elements(), element) != value.elements().end();
}

Timestamp Stage::Horizon(std::string_view name) {
  return *storage::ForgottenBefore(*At(name).store().MakeSnapshot(), pool_);
}

bool Stage::Admits(std::string_view name) {
  if (!At(name).up()) return false;
  const auto status = At(name).machine().Status(pool_, At(name).Now());
  return status && status->admits_writes;
}

std::optional<replication::pb::RoleRecord> Stage::RoleAt(std::string_view name) {
  const auto stored =
      At(name).store().MakeSnapshot()->Get({storage::Space::kDirectory, pool_, replication::kRoleRecordType, Bytes()});
  return *stored ? replication::ParseRole(**stored) : std::nullopt;
}

void Stage::CutOff(std::string_view name) {
  for (const auto& [other, region] : regions_) {
    network_.Cut(Region(std::string(name)), other);
    network_.Cut(other, Region(std::string(name)));
  }
}

}  // namespace symbolon::simulation
