#include "auth/devices.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "auth/activity.h"
#include "crypto/srp.h"

namespace symbolon::auth {
namespace {

using directory::pb::DeviceRecord;

// As the API bounds a key: 55 characters, 37 of which are '_' and a UUID.
constexpr std::size_t kRegionInKeyMax = 18;
constexpr std::size_t kGroupKeyBytes = 6;
// Access tokens live at most so long: as long as one can confirm a device.
constexpr std::chrono::days kConfirmationWindow{1};

auto NoSuchDevice() { return Fail(AuthErrorCode::kResourceNotFound, "Device does not exist."); }

AuthResult<void> RequireTracking(const Context& context) {
  if (context.pool.has_device_tracking()) return {};
  return Fail(AuthErrorCode::kInvalidUserPoolConfiguration, "Device tracking is not enabled for the user pool.");
}

AuthResult<void> CheckClaims(const DeviceClaims& claims) {
  const bool has_salt = claims.salt.size() <= kDeviceSaltBytesMax && crypto::CanonicalHex(claims.salt) != "0";
  // In the group, as public keys are; of 1 everybody knows the secret.
  const auto verifier = crypto::SrpClientPublicKey::FromOctets(claims.verifier);
  if (has_salt && verifier && verifier->octets() != Bytes(1, '\1')) return {};
  return Fail(AuthErrorCode::kInvalidParameter, "Invalid device secret verifier config given.");
}

// Makes room for one more.
void DropLeastUsed(const Context& context, BytesView user_key) {
  const auto devices = directory::DevicesOf(context.tx, user_key);
  if (devices.size() < directory::kDevicesPerUserMax) return;
  std::vector<std::tuple<bool, Timestamp, std::string>> by_use;
  for (const auto& row : devices) {
    by_use.emplace_back(row.record.remembered(), DeviceLastSeen(context.tx, row.record), row.record.device_key());
  }
  directory::DeleteDevice(context.tx, user_key, std::get<std::string>(*std::ranges::min_element(by_use)));
}

}  // namespace

std::string DeviceGroupKey(const Context& context) {
  return '-' + Base64UrlEncode(context.tx.keys().Derive("device group", "").substr(0, kGroupKeyBytes));
}

NewDevice MakeNewDevice(const Context& context) {
  std::string uuid = context.env.Once<std::string>("device", [&] { return NewUuid(context.env.random()); });
  return {.key = context.region().value().substr(0, kRegionInKeyMax) + '_' + uuid,
          .group_key = DeviceGroupKey(context)};
}

AuthResult<DeviceRecord> FindDevice(const Context& context, BytesView user_key, std::string_view device_key) {
  auto device = directory::GetDevice(context.tx, user_key, device_key);
  if (!device) return NoSuchDevice();
  return *std::move(device);
}

AuthResult<bool> ConfirmDevice(const Context& context, BytesView user_key, std::string_view token_device_key,
                               Timestamp authenticated_at, const DeviceClaims& claims) {
  SYMBOLON_TRY_VOID(RequireTracking(context));
  if (token_device_key.empty() || claims.key != token_device_key) {
    return Fail(AuthErrorCode::kInvalidParameter, "Invalid device key given.");
  }
  SYMBOLON_TRY_VOID(CheckClaims(claims));
  if (directory::GetDevice(context.tx, user_key, claims.key) || WasUsed(context.tx, claims.key)) {
    return Fail(AuthErrorCode::kDeviceKeyExists, "Device key already exists.");
  }
  MarkUsed(context.tx, context.region(), claims.key, context.now() + kConfirmationWindow);
  DropLeastUsed(context, user_key);

  const bool asks_user = context.pool.device_tracking().only_on_prompt();
  DeviceRecord device;
  device.set_device_key(claims.key);
  device.set_name(claims.name);
  device.mutable_verifier()->set_salt(claims.salt);
  device.mutable_verifier()->set_verifier(claims.verifier);
  device.set_remembered(!asks_user);
  device.set_created_micros(ToMicros(context.now()));
  device.set_modified_micros(ToMicros(context.now()));
  device.set_authenticated_micros(ToMicros(authenticated_at));
  directory::PutDevice(context.tx, user_key, device);
  return asks_user;
}

AuthResult<void> RememberDevice(const Context& context, BytesView user_key, std::string_view device_key,
                                bool remembered) {
  SYMBOLON_TRY_VOID(RequireTracking(context));
  SYMBOLON_TRY(DeviceRecord device, FindDevice(context, user_key, device_key));
  if (device.remembered() == remembered) return {};
  device.set_remembered(remembered);
  device.set_modified_micros(ToMicros(context.now()));
  directory::PutDevice(context.tx, user_key, device);
  return {};
}

AuthResult<void> ForgetDevice(const Context& context, BytesView user_key, std::string_view device_key) {
  SYMBOLON_TRY_VOID(FindDevice(context, user_key, device_key));
  directory::DeleteDevice(context.tx, user_key, device_key);
  return {};
}

}  // namespace symbolon::auth
