#include "key_life/ask_member.h"

#include <fmt/format.h>

#include <thread>

#include "base/log.h"
#include "crypto/hash.h"
#include "directory/record_types.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::key_life {
namespace {

// An answer that says something final; otherwise `why` tells why not.
using Told = ChangeResult<std::optional<pb::KeyAnswer>>;

Told AskOnce(const Services& services, const Region& region, const std::string& octets, std::string& why) {
  const auto answered = services.ask(region, octets);
  if (!answered) {
    if (answered.error().code == replication::ControlErrorCode::kRefused) {
      return Err(ChangeError{ChangeErrorCode::kNotUnderstood, fmt::format("Region {} refuses the change: {}.",
                                                                          region.value(), answered.error().detail)});
    }
    why = "it is not in reach";
    return std::nullopt;
  }
  pb::KeyAnswer answer;
  if (!answer.ParseFromString(*answered)) answer.set_outcome(pb::KeyAnswer::CANNOT);
  if (answer.outcome() == pb::KeyAnswer::CANNOT) {
    return Err(ChangeError{ChangeErrorCode::kUnusableKey,
                           fmt::format("The key cannot be used in Region {}: {}", region.value(), answer.reason())});
  }
  if (answer.outcome() == pb::KeyAnswer::OK || answer.outcome() == pb::KeyAnswer::LACKS_KEYS) return answer;
  why = answer.reason();
  return std::nullopt;
}

// False: not now.
ChangeResult<bool> SendKeys(const Services& services, const Region& region, const PoolId& pool, BytesView receiving_key,
                            std::string& why) {
  const auto snapshot = services.store.MakeSnapshot();
  const auto stored =
      snapshot->Get({.pool = pool, .type = static_cast<std::uint16_t>(directory::RecordType::kWrappedKeys), .id = ""});
  const auto own = snapshot->Get(
      {.pool = pool, .type = static_cast<std::uint16_t>(directory::RecordType::kRegionKey), .id = region.value()});
  if (!stored || !*stored || !own) {
    why = "the pool's keys cannot be read";
    return false;
  }
  const auto contents = keys::ContentsOfPoolKeys(**stored);
  // Whoever can open the pool's record is sent nothing, whatever it says.
  if (!contents || (contents->complete && !*own)) {
    return Err(
        ChangeError{ChangeErrorCode::kUnusableKey,
                    fmt::format("Region {} asks for keys that it has to open with the pool's.", region.value())});
  }
  auto sealed = services.keys.SealKeysFor(*snapshot, pool, region, receiving_key);
  if (!sealed) return Err(TranslateKeyError(sealed.error()));
  pb::KeyRequest request;
  request.set_pool(pool.value());
  pb::TakeKeys& take = *request.mutable_take_keys();
  take.set_record(crypto::Sha256(**stored));
  take.set_sealed(*std::move(sealed));
  SYMBOLON_TRY(const auto answer, AskOnce(services, region, request.SerializeAsString(), why));
  if (!answer) return false;
  log::Info("Region {} was given the keys of pool {}", region.value(), pool.value());
  return true;
}

}  // namespace

ChangeError TranslateKeyError(const keys::KeyServiceError& error) {
  switch (error.code) {
    case keys::KeyServiceErrorCode::kUnusableKey:
      return {ChangeErrorCode::kUnusableKey, error.message};
    case keys::KeyServiceErrorCode::kWithdrawn:
      return {ChangeErrorCode::kLocked, error.message};
    case keys::KeyServiceErrorCode::kNoKeys:
    case keys::KeyServiceErrorCode::kUnavailable:
      return {ChangeErrorCode::kUnavailable, error.message};
  }
  return {ChangeErrorCode::kUnavailable, ""};
}

ChangeResult<pb::KeyAnswer> AskMember(const Services& services, const Region& region, const PoolId& pool,
                                      const pb::KeyRequest& request, const Patience& patience) {
  const std::string octets = request.SerializeAsString();
  const auto until = services.clock.SinceBoot() + patience.limit;
  std::string why = "it cannot be asked";
  // Keys that were taken are worth one more question, however late it is.
  bool sent_before = false;
  while (services.ask) {
    SYMBOLON_TRY(auto answer, AskOnce(services, region, octets, why));
    if (answer && answer->outcome() == pb::KeyAnswer::OK) return *std::move(answer);
    if (answer) {
      why = answer->reason();
      SYMBOLON_TRY(const bool sent, SendKeys(services, region, pool, answer->receiving_key(), why));
      if (sent && !std::exchange(sent_before, true)) continue;
    }
    if (services.clock.SinceBoot() >= until) break;
    std::this_thread::sleep_for(patience.again);
  }
  return Err(ChangeError{
      ChangeErrorCode::kUnavailable,
      fmt::format("Region {} has not confirmed that it can use the key in time: {}.", region.value(), why)});
}

}  // namespace symbolon::key_life
