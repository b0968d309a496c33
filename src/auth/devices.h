// Users' devices: a key, which a sign-in gives a new device, and a secret, which the device makes and keeps, and of
// which the directory has the verifier (AWS developer guide, "Working with user devices"). What changes a device writes
// the directory, so only the primary can; a remembered one signs in everywhere (device_sign_in.h).
//
// A device belongs to the sign-in that it got its key in: nobody else can confirm it, and nobody can twice, so a device
// that was forgotten does not come back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/access_tokens.h"
#include "auth/context.h"
#include "auth/error.h"
#include "auth/tokens.h"
#include "directory/devices.h"
#include "directory/users.h"

namespace symbolon::auth {

// Clients draw 16 octets.
inline constexpr std::size_t kDeviceSaltBytesMax = 64;

// The same for all devices of a pool, in every Region.
std::string DeviceGroupKey(const Context& context);
// A key that nobody has, the same in every attempt at the plan.
NewDevice MakeNewDevice(const Context& context);

// Whether the user has such a device, remembered or not. Errors: kResourceNotFound.
AuthResult<directory::pb::DeviceRecord> FindDevice(const Context& context, BytesView user_key,
                                                   std::string_view device_key);

// What a device says of itself when it is confirmed; verifier and salt are numbers, big-endian.
struct DeviceClaims {
  std::string key;
  std::string name;
  Bytes salt;
  Bytes verifier;
};
// Stores the device that the access token's sign-in was given, and answers whether its user is still to be asked to
// remember it. At most directory::kDevicesPerUserMax stay: one that nobody remembers goes first, then the one that was
// not seen for the longest time. Errors: kInvalidUserPoolConfiguration in a pool that tracks none, kInvalidParameter
// for another device's key and for what is no verifier, kDeviceKeyExists.
AuthResult<bool> ConfirmDevice(const Context& context, BytesView user_key, std::string_view token_device_key,
                               Timestamp authenticated_at, const DeviceClaims& claims);

// Errors: kInvalidUserPoolConfiguration, kResourceNotFound.
AuthResult<void> RememberDevice(const Context& context, BytesView user_key, std::string_view device_key,
                                bool remembered);
// Ends its refresh tokens too. Errors: kResourceNotFound.
AuthResult<void> ForgetDevice(const Context& context, BytesView user_key, std::string_view device_key);

}  // namespace symbolon::auth
