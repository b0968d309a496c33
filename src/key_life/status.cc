#include "key_life/status.h"

#include <algorithm>
#include <thread>

#include "key_life/link.pb.h"

namespace symbolon::key_life {
namespace {

using State = keys::PoolKeyStatus::State;

RegionKeyStatus StatusHere(const Services& services, const PoolId& pool) {
  RegionKeyStatus here{.region = services.here, .state = {}, .reason = {}, .since = {}, .cmk_arn = {}};
  const auto status = services.keys.StatusOf(*services.store.MakeSnapshot(), pool);
  if (!status) {
    here.reason = status.error().message;
    return here;
  }
  here.state = status->state;
  here.reason = status->reason;
  here.since = status->since;
  here.cmk_arn = status->cmk_arn;
  return here;
}

RegionKeyStatus StatusThere(const Services& services, const PoolId& pool, const Region& region) {
  RegionKeyStatus there{
      .region = region, .state = {}, .reason = "The Region is not in reach.", .since = {}, .cmk_arn = {}};
  if (!services.ask) return there;
  pb::KeyRequest request;
  request.set_pool(pool.value());
  request.mutable_status();
  const auto answered = services.ask(region, request.SerializeAsString());
  pb::KeyAnswer answer;
  if (!answered) {
    if (answered.error().code != replication::ControlErrorCode::kUnavailable) there.reason = answered.error().detail;
    return there;
  }
  if (!answer.ParseFromString(*answered)) return there;
  there.reason = answer.reason();
  if (answer.outcome() != pb::KeyAnswer::OK) return there;
  there.cmk_arn = answer.cmk_arn();
  if (answer.since_micros() != 0) there.since = FromMicros(answer.since_micros());
  there.state = answer.state() == pb::KeyAnswer::OPEN   ? State::kOpen
                : answer.state() == pb::KeyAnswer::LOST ? State::kLost
                                                        : State::kLocked;
  return there;
}

}  // namespace

std::vector<RegionKeyStatus> KeyStatuses(const Services& services, const PoolId& pool,
                                         const replication::pb::RoleRecord& role) {
  std::vector<Region> others;
  const auto add = [&](const Region& region) {
    if (!region.empty() && region != services.here && std::ranges::find(others, region) == others.end())
      others.push_back(region);
  };
  add(replication::LeaderOf(role));
  for (const replication::pb::Member& member : role.members()) add(Region(member.region()));
  std::vector<RegionKeyStatus> statuses(1 + others.size());
  {
    std::vector<std::jthread> asking;
    for (std::size_t i = 0; i < others.size(); ++i) {
      asking.emplace_back([&, i] { statuses[1 + i] = StatusThere(services, pool, others[i]); });
    }
    statuses.front() = StatusHere(services, pool);
  }
  return statuses;
}

}  // namespace symbolon::key_life
