#include "auth/device_sign_in.h"

#include "auth/activity.h"
#include "auth/devices.h"
#include "auth/facts.h"
#include "auth/lockout.h"
#include "auth/session.h"
#include "auth/srp_block.h"

namespace symbolon::auth {
namespace {

using directory::User;
using directory::pb::ClientRecord;
using directory::pb::DeviceRecord;

// The device that a sign-in under way goes on with, as it is now: still there, remembered, and the one that the answer
// names.
AuthResult<DeviceRecord> DeviceUnderProof(const Context& context, Door door, const OpenedSession& session,
                                          std::string_view device_key) {
  if (door == Door::kAdmin || !context.pool.has_device_tracking()) {
    return Fail(AuthErrorCode::kInvalidParameter, "Device challenges are not available here.");
  }
  if (device_key != session.session.device_key()) return Err(InvalidSession());
  SYMBOLON_TRY(DeviceRecord device, FindDevice(context, session.user.key, device_key));
  if (!device.remembered()) return Err(InvalidSession());
  return device;
}

}  // namespace

AuthResult<std::optional<DeviceRecord>> FindNamed(const Context& context, const User& user,
                                                  const SignInDevice& device) {
  if (device.key.empty()) return std::nullopt;
  SYMBOLON_TRY(DeviceRecord record, FindDevice(context, user.key, device.key));
  return std::optional(std::move(record));
}

AuthResult<SignInStep> ProveDevice(const Context& context, const ClientRecord& client, const User& user,
                                   const std::optional<OneTime>& used, const SignInDevice& device,
                                   const std::optional<DeviceRecord>& record) {
  if (!record || !record->remembered()) return FinishSignIn(context, client, user, used, device);
  if (used) MarkUsed(context.tx, context.region(), used->id, used->expires_at);
  return Challenge{.name = ChallengeName::kDeviceSrpAuth,
                   .parameters = {},
                   .session = NewSession(context, client, user, pb::Session::DEVICE_SRP_AUTH, device.key)};
}

AuthResult<SignInStep> AnswerDeviceSrpAuth(const Context& context, const ClientRecord& client, Door door,
                                           const std::optional<std::string>& session, const Parameters& responses) {
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const std::string_view device_key, Require(responses, "DEVICE_KEY"));
  SYMBOLON_TRY(const std::string_view srp_a, Require(responses, "SRP_A"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));
  SYMBOLON_TRY(const auto client_public_key, ParseSrpA(srp_a));
  SYMBOLON_TRY(const OpenedSession opened, OpenSession(context, client, session, pb::Session::DEVICE_SRP_AUTH));
  SYMBOLON_TRY_VOID(CheckNamed(context, opened, username));
  SYMBOLON_TRY(const DeviceRecord device, DeviceUnderProof(context, door, opened, device_key));

  pb::SrpBlock block;
  block.set_id(opened.id);
  block.set_user_key(opened.user.key);
  block.set_user_id(device.device_key());
  block.set_expires_micros(ToMicros(opened.expires_at));
  *block.mutable_session() = opened.session;
  Parameters challenge = ChallengeBySrp(context, client, client_public_key, device.verifier(), std::move(block));
  challenge.emplace("DEVICE_KEY", device.device_key());
  challenge.emplace("USERNAME", opened.user.record.username());
  return Challenge{
      .name = ChallengeName::kDevicePasswordVerifier, .parameters = std::move(challenge), .session = std::nullopt};
}

AuthResult<SignInStep> AnswerDevicePasswordVerifier(const Context& context, const ClientRecord& client, Door door,
                                                    const Parameters& responses) {
  // 1. The client.
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const std::string_view device_key, Require(responses, "DEVICE_KEY"));
  SYMBOLON_TRY(const SrpClaim claim, SrpClaimOf(responses));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));

  // 2. The challenge that this answers, once, and the sign-in that it is of.
  SYMBOLON_TRY(const OpenedBlock opened, OpenSrpBlock(context, client, claim));
  if (!opened.block.has_session()) return Err(InvalidSession());
  SYMBOLON_TRY(const OpenedSession session, CheckSession(context, opened.block.session()));
  SYMBOLON_TRY_VOID(CheckNamed(context, session, username));
  SYMBOLON_TRY(const DeviceRecord device, DeviceUnderProof(context, door, session, device_key));

  // 3. The proof.
  if (IsLockedOut(context.tx, session.user.key, context.now())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Password attempts exceeded");
  }
  if (!ProofIsRight(context, opened, DeviceGroupKey(context), device.verifier(), claim)) {
    MarkUsed(context.tx, context.region(), session.id, session.expires_at);
    CountFailedAttempt(context.tx, context.region(), session.user.key, context.now());
    return FailKeepingChanges(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");
  }
  NoteDeviceSeen(context.tx, device, context.now());
  return FinishSignIn(context, client, session.user, OneTime{.id = session.id, .expires_at = session.expires_at},
                      SignInDevice{.is_tracked = true, .key = device.device_key()});
}

}  // namespace symbolon::auth
