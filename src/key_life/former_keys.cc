#include "key_life/former_keys.h"

#include <fmt/format.h>

#include "base/log.h"
#include "key_life/link.pb.h"
#include "key_life/older_records.h"

namespace symbolon::key_life {

FormerKeysSearch::Outcome FormerKeysSearch::Wait(std::string problem) {
  problem_ = std::move(problem);
  return Outcome::kWait;
}

FormerKeysSearch::Outcome FormerKeysSearch::Fail(const storage::StoreError& error) {
  log::Error("re-encryption of pool {}: {}", subject_.pool.value(), error.detail);
  return Wait("The store fails.");
}

FormerKeysSearch::Outcome FormerKeysSearch::Step(const Services& services) {
  problem_.clear();
  switch (stage_) {
    case Stage::kRegional:
      return LookAtRegional(services);
    case Stage::kDirectory:
      return LookAtDirectory(services);
    case Stage::kMembers:
      return AskMember(services);
  }
  return Outcome::kMore;
}

// Once nobody holds former keys, nothing is sealed with one any more: what the later slices have seen stays as it was.
FormerKeysSearch::Outcome FormerKeysSearch::LookAtRegional(const Services& services) {
  if (services.keys.FormerKeysInUse(subject_.pool)) {
    return Wait("Requests that began under the former key are under way.");
  }
  const auto keys = services.keys.KeysOf(*services.store.MakeSnapshot(), subject_.pool);
  if (!keys) return Wait(keys.error().message);
  const auto regional = ResealRegional(services.store, subject_.pool, **keys, services.random);
  if (!regional) return Fail(regional.error());
  if (services.suffixes != nullptr) {
    auto kept = OlderInSuffixes(*services.suffixes, subject_.pool, subject_.generations);
    if (!kept) return Fail(kept.error());
    in_suffixes_.merge(*kept);
  }
  stage_ = Stage::kDirectory;
  return Outcome::kMore;
}

FormerKeysSearch::Outcome FormerKeysSearch::LookAtDirectory(const Services& services) {
  auto found = LookForOlder(services.store, subject_.pool, subject_.generations, cursor_, kSliceBytes);
  if (!found) return Fail(found.error());
  if (!found->generations.empty()) return Outcome::kFound;
  cursor_ = std::move(found->cursor);
  if (cursor_.empty()) stage_ = Stage::kMembers;
  return Outcome::kMore;
}

FormerKeysSearch::Outcome FormerKeysSearch::AskMember(const Services& services) {
  if (member_ == subject_.members.size()) return Outcome::kNone;
  const Region& region = subject_.members[member_];
  pb::KeyRequest request;
  request.set_pool(subject_.pool.value());
  pb::LookForOlder& look = *request.mutable_look_for_older();
  look.set_sequence(subject_.sequence);
  look.set_cursor(cursor_);
  for (const Bytes& generation : subject_.generations) look.add_generations(generation);
  pb::KeyAnswer answer;
  const auto answered = services.ask ? services.ask(region, request.SerializeAsString())
                                     : Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, ""});
  if (!answered || !answer.ParseFromString(*answered)) {
    return Wait(fmt::format("Region {} is not in reach.", region.value()));
  }
  if (answer.outcome() != pb::KeyAnswer::OK) {
    return Wait(fmt::format("Region {} is waited for: {}.", region.value(), answer.reason()));
  }
  if (!answer.found().empty()) {
    // Its directory is this one's at that position: somebody must have changed it.
    log::Error("pool {}: Region {} has records of a former data key", subject_.pool.value(), region.value());
    return Wait(fmt::format("Region {} has records of a former data key.", region.value()));
  }
  in_suffixes_.insert(answer.found_in_suffixes().begin(), answer.found_in_suffixes().end());
  cursor_ = std::move(*answer.mutable_next_cursor());
  if (cursor_.empty()) ++member_;
  return Outcome::kMore;
}

}  // namespace symbolon::key_life
