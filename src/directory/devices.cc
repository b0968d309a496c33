#include "directory/devices.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kDeviceIdBytes = 16;

}  // namespace

Bytes DeviceIdOf(const Transaction& tx, BytesView user_key, std::string_view device_key) {
  return Bytes(user_key) + tx.keys().BlindIndex("device", device_key).substr(0, kDeviceIdBytes);
}

std::optional<pb::DeviceRecord> GetDevice(Transaction& tx, BytesView user_key, std::string_view device_key) {
  return tx.Get<DeviceKind>(DeviceIdOf(tx, user_key, device_key));
}

void PutDevice(Transaction& tx, BytesView user_key, const pb::DeviceRecord& device) {
  tx.Put<DeviceKind>(DeviceIdOf(tx, user_key, device.device_key()), device);
}

void DeleteDevice(Transaction& tx, BytesView user_key, std::string_view device_key) {
  tx.Delete<DeviceKind>(DeviceIdOf(tx, user_key, device_key));
}

std::vector<Row<DeviceKind>> DevicesOf(Transaction& tx, BytesView user_key) {
  return tx.Scan<DeviceKind>(user_key, std::nullopt, kDevicesPerUserMax).rows;
}

void DeleteDevicesOf(Transaction& tx, BytesView user_key) {
  for (const auto& row : DevicesOf(tx, user_key)) tx.Delete<DeviceKind>(row.id);
}

}  // namespace symbolon::directory
