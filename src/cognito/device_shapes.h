// Devices as the API shows them.
#pragma once

#include "directory/records.pb.h"
#include "directory/transaction.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// Who looks: a device's user, or an administrator, who sees the attributes that begin with "dev:" too.
enum class DeviceViewer { kUser, kAdmin };

// DeviceLastAuthenticatedDate is of all Regions.
model::cognito::DeviceType DescribeDevice(directory::Transaction& tx, const directory::pb::DeviceRecord& device,
                                          DeviceViewer viewer);

}  // namespace symbolon::cognito
