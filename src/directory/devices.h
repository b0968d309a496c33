// The devices that a user confirmed: records under the user's key. All functions work on one Transaction; see there for
// failures.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "directory/record_types.h"
#include "directory/transaction.h"

namespace symbolon::directory {

// Keeps every walk over a user's devices short. AWS names no bound.
inline constexpr std::size_t kDevicesPerUserMax = 100;

// user key ‖ 16 octets that do not show the device key.
Bytes DeviceIdOf(const Transaction& tx, BytesView user_key, std::string_view device_key);

std::optional<pb::DeviceRecord> GetDevice(Transaction& tx, BytesView user_key, std::string_view device_key);
void PutDevice(Transaction& tx, BytesView user_key, const pb::DeviceRecord& device);
void DeleteDevice(Transaction& tx, BytesView user_key, std::string_view device_key);

// All of a user, ascending by id.
std::vector<Row<DeviceKind>> DevicesOf(Transaction& tx, BytesView user_key);
void DeleteDevicesOf(Transaction& tx, BytesView user_key);

}  // namespace symbolon::directory
