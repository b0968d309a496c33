#include "cognito/device_shapes.h"

#include "auth/activity.h"

namespace symbolon::cognito {

model::cognito::DeviceType DescribeDevice(directory::Transaction& tx, const directory::pb::DeviceRecord& device,
                                          DeviceViewer viewer) {
  model::cognito::DeviceType shown;
  shown.DeviceKey = device.device_key();
  auto& attributes = shown.DeviceAttributes.emplace();
  attributes.push_back({.Name = "device_status", .Value = "valid"});
  if (!device.name().empty()) attributes.push_back({.Name = "device_name", .Value = device.name()});
  if (viewer == DeviceViewer::kAdmin) {
    attributes.push_back(
        {.Name = "dev:device_remembered_status", .Value = device.remembered() ? "remembered" : "not_remembered"});
  }
  shown.DeviceCreateDate = FromMicros(device.created_micros());
  shown.DeviceLastModifiedDate = FromMicros(device.modified_micros());
  shown.DeviceLastAuthenticatedDate = auth::DeviceLastSeen(tx, device);
  return shown;
}

}  // namespace symbolon::cognito
