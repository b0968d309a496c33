#include "key_life/member.h"

#include "base/log.h"
#include "crypto/hash.h"
#include "directory/record_types.h"
#include "key_life/commit.h"
#include "key_life/link.pb.h"
#include "key_life/older_records.h"
#include "key_life/shredding.h"

namespace symbolon::key_life {
namespace {

using replication::ControlError;
using replication::ControlErrorCode;
using replication::Role;

// About what a second reads.
constexpr std::size_t kLookedAtOnceBytes = 128 << 20;

pb::KeyAnswer NotYet(std::string reason) {
  pb::KeyAnswer answer;
  answer.set_outcome(pb::KeyAnswer::NOT_YET);
  answer.set_reason(std::move(reason));
  return answer;
}

pb::KeyAnswer Cannot(std::string reason) {
  pb::KeyAnswer answer;
  answer.set_outcome(pb::KeyAnswer::CANNOT);
  answer.set_reason(std::move(reason));
  return answer;
}

pb::KeyAnswer Refuse(const keys::KeyServiceError& error) {
  const bool may_pass = error.code == keys::KeyServiceErrorCode::kUnavailable;
  return may_pass ? NotYet(error.message) : Cannot(error.message);
}

pb::KeyAnswer StoreFails(const PoolId& pool, const storage::StoreError& error) {
  log::Error("records of pool {} cannot be looked through: {}", pool.value(), error.detail);
  return NotYet("the store fails");
}

// Whether the pool's record of wrapped keys is that one.
bool HasRecord(const storage::Snapshot& snapshot, const PoolId& pool, BytesView digest) {
  const auto stored =
      snapshot.Get({.pool = pool, .type = static_cast<std::uint16_t>(directory::RecordType::kWrappedKeys), .id = ""});
  return stored && *stored && crypto::Sha256(**stored) == digest;
}

// nullopt: nothing is lacking.
std::optional<pb::KeyAnswer> AskForKeys(const Services& services, const storage::Snapshot& snapshot,
                                        const PoolId& pool) {
  const auto lacks = services.keys.LacksKeys(snapshot, pool);
  if (!lacks) return Refuse(lacks.error());
  if (!*lacks) return std::nullopt;
  pb::KeyAnswer answer;
  answer.set_outcome(pb::KeyAnswer::LACKS_KEYS);
  answer.set_reason("it has not been given the keys");
  answer.set_receiving_key(services.keys.ReceivingKey());
  return answer;
}

pb::KeyAnswer HoldKeys(const Services& services, const PoolId& pool, BytesView digest) {
  const auto snapshot = services.store.MakeSnapshot();
  if (!HasRecord(*snapshot, pool, digest)) return NotYet("its directory lags");
  if (auto lacking = AskForKeys(services, *snapshot, pool)) return *std::move(lacking);
  const auto keys = services.keys.KeysOf(*snapshot, pool);
  return keys ? pb::KeyAnswer() : Refuse(keys.error());
}

pb::KeyAnswer TakeKeys(const Services& services, const Region& from, const PoolId& pool, const pb::TakeKeys& request) {
  bool lags = false;
  const auto taken =
      CommitOwnKeys(services, pool, [&](const auto& snapshot) -> keys::KeyServiceResult<std::optional<Bytes>> {
        lags = !HasRecord(snapshot, pool, request.record());
        if (lags) return std::nullopt;
        return services.keys.TakeKeys(snapshot, pool, from, request.sealed());
      });
  if (!taken) return Refuse(taken.error());
  return lags ? NotYet("its directory lags") : pb::KeyAnswer();
}

pb::KeyAnswer CheckKey(const Services& services, const PoolId& pool, const pb::CheckKey& request) {
  const auto usable = services.keys.CheckKey(request.cmk_arn());
  if (!usable) return Refuse(usable.error());
  std::string refusal =
      services.check_key ? services.check_key(request.owner(), pool, request.cmk_arn()) : std::string();
  return refusal.empty() ? pb::KeyAnswer() : Cannot(std::move(refusal));
}

pb::KeyAnswer PrepareKey(const Services& services, const PoolId& pool, const pb::CheckKey& request) {
  if (auto lacking = AskForKeys(services, *services.store.MakeSnapshot(), pool)) return *std::move(lacking);
  if (auto checked = CheckKey(services, pool, request); checked.outcome() != pb::KeyAnswer::OK) return checked;
  const auto wrapped = WrapOwnKeys(services, pool, request.cmk_arn());
  return wrapped ? pb::KeyAnswer() : Refuse(wrapped.error());
}

pb::KeyAnswer ConfirmOffer(const Services& services, const PoolId& pool, BytesView digest) {
  const auto snapshot = services.store.MakeSnapshot();
  if (!HasRecord(*snapshot, pool, digest)) return NotYet("the offer has not arrived");
  if (auto lacking = AskForKeys(services, *snapshot, pool)) return *std::move(lacking);
  auto check = services.keys.ConfirmOffer(*snapshot, pool);
  if (!check) return Refuse(check.error());
  pb::KeyAnswer answer;
  answer.set_check(*std::move(check));
  return answer;
}

pb::KeyAnswer Look(const Services& services, const PoolId& pool, const pb::LookForOlder& request) {
  const auto snapshot = services.store.MakeSnapshot();
  const auto head = snapshot->Head(pool);
  if (!head || !*head || (*head)->sequence() < request.sequence()) return NotYet("its directory lags");
  if (const auto staging = services.store.FindStaging(pool); !staging || *staging) return NotYet("it takes a copy");
  if (services.keys.FormerKeysInUse(pool)) return NotYet("requests of before are under way");
  const auto keys = services.keys.KeysOf(*snapshot, pool);
  if (!keys) return NotYet(keys.error().message);

  const std::set<Bytes> generations(request.generations().begin(), request.generations().end());
  pb::KeyAnswer answer;
  if (request.cursor().empty()) {
    if (generations.contains(Bytes((*keys)->sealing_generation()))) return NotYet("its keys lag");
    const auto resealed = ResealRegional(services.store, pool, **keys, services.random);
    if (!resealed) return StoreFails(pool, resealed.error());
    if (services.suffixes != nullptr) {
      const auto kept = OlderInSuffixes(*services.suffixes, pool, generations);
      if (!kept) return StoreFails(pool, kept.error());
      for (const Bytes& generation : *kept) answer.add_found_in_suffixes(generation);
    }
  }
  auto found = LookForOlder(services.store, pool, generations, request.cursor(), kLookedAtOnceBytes);
  if (!found) return StoreFails(pool, found.error());
  for (const Bytes& generation : found->generations) answer.add_found(generation);
  answer.set_next_cursor(std::move(found->cursor));
  return answer;
}

pb::KeyAnswer StatusHere(const Services& services, const PoolId& pool) {
  const auto status = services.keys.StatusOf(*services.store.MakeSnapshot(), pool);
  if (!status) return Cannot(status.error().message);
  pb::KeyAnswer answer;
  answer.set_reason(status->reason);
  answer.set_cmk_arn(status->cmk_arn);
  if (status->since) answer.set_since_micros(ToMicros(*status->since));
  switch (status->state) {
    case keys::PoolKeyStatus::State::kOpen:
      answer.set_state(pb::KeyAnswer::OPEN);
      break;
    case keys::PoolKeyStatus::State::kLocked:
      answer.set_state(pb::KeyAnswer::LOCKED);
      break;
    case keys::PoolKeyStatus::State::kLost:
      answer.set_state(pb::KeyAnswer::LOST);
      break;
  }
  return answer;
}

}  // namespace

replication::ControlResult<Bytes> AnswerKeyRequest(const Services& services, const Region& from, const Bytes& octets) {
  pb::KeyRequest request;
  if (!request.ParseFromString(octets) || request.pool().empty() || request.pool().size() > storage::kNameBytesMax) {
    return Err(ControlError{ControlErrorCode::kRefused, "not a request about a pool's keys"});
  }
  const PoolId pool(request.pool());
  if (request.has_shred() && services.shredding != nullptr) {
    return services.shredding->Answer(from, pool, request.shred());
  }
  if (request.has_check_key()) return CheckKey(services, pool, request.check_key()).SerializeAsString();
  const auto stored =
      services.store.MakeSnapshot()->Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  const auto role = stored && *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!stored || (*stored && !role)) return Err(ControlError{ControlErrorCode::kUnavailable, "the store fails"});
  if (!role) return Err(ControlError{ControlErrorCode::kNotMember, "the pool is not known here"});
  const Role of_sender = replication::RoleOf(*role, from);
  if (of_sender.kind == Role::Kind::kNone) {
    return Err(ControlError{ControlErrorCode::kNotMember, "the asking Region is none of the pool"});
  }
  if (request.has_status()) return StatusHere(services, pool).SerializeAsString();
  if (of_sender.kind != Role::Kind::kPrimary) {
    return Err(ControlError{ControlErrorCode::kNotPrimary, "the asking Region is not the pool's primary"});
  }
  if (request.has_confirm_offer()) {
    return ConfirmOffer(services, pool, request.confirm_offer()).SerializeAsString();
  }
  if (request.has_hold_keys()) return HoldKeys(services, pool, request.hold_keys()).SerializeAsString();
  if (request.has_take_keys()) return TakeKeys(services, from, pool, request.take_keys()).SerializeAsString();
  if (request.has_prepare_key()) return PrepareKey(services, pool, request.prepare_key().key()).SerializeAsString();
  if (request.has_look_for_older()) return Look(services, pool, request.look_for_older()).SerializeAsString();
  return Err(ControlError{ControlErrorCode::kRefused, "not a request that this version knows"});
}

}  // namespace symbolon::key_life
