// Users' devices, as their users and administrators see and change them. Users see those that are remembered.
#include "auth/devices.h"

#include "cognito/auth_errors.h"
#include "cognito/call.h"
#include "cognito/device_shapes.h"
#include "cognito/page_token.h"
#include "cognito/user_writes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using directory::User;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr std::size_t kPageMax = 60;

// Base64 of a big-endian number.
ApiResult<Bytes> NumberOf(const std::optional<std::string>& text, std::string_view member) {
  auto octets = text ? Base64Decode(*text) : std::nullopt;
  if (octets && !octets->empty()) return *std::move(octets);
  return Fail(ErrorCode::kInvalidParameterException,
              "DeviceSecretVerifierConfig." + std::string(member) + " is no number in Base64.");
}

ApiResult<DeviceType> Get(Call& call, BytesView user_key, const std::string& device_key, DeviceViewer viewer) {
  const auto device = auth::FindDevice(call.auth_context(), user_key, device_key);
  if (!device) return Refuse(call, device.error());
  if (viewer == DeviceViewer::kUser && !device->remembered()) {
    return Fail(ErrorCode::kResourceNotFoundException, "Device does not exist.");
  }
  return DescribeDevice(call.tx(), *device, viewer);
}

struct Page {
  std::vector<DeviceType> devices;
  std::optional<std::string> next;
};

template <class Request>
ApiResult<Page> List(Call& call, const Request& request, BytesView user_key, DeviceViewer viewer) {
  // A token of one user's listing does not open another's.
  const std::string listing = "ListDevices:" + Bytes(user_key);
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, listing, request.PaginationToken));
  const std::size_t limit = request.Limit.value_or(0) == 0 ? kPageMax : static_cast<std::size_t>(*request.Limit);
  Page page;
  Bytes last;
  for (const auto& row : directory::DevicesOf(call.tx(), user_key)) {
    if ((after && row.id <= *after) || (viewer == DeviceViewer::kUser && !row.record.remembered())) continue;
    if (page.devices.size() == limit) {
      page.next = SealPageToken(call, listing, last);
      break;
    }
    page.devices.push_back(DescribeDevice(call.tx(), row.record, viewer));
    last = row.id;
  }
  return page;
}

ApiResult<void> SetStatus(Call& call, BytesView user_key, const std::string& device_key,
                          std::optional<DeviceRememberedStatusType> status) {
  if (!status) return Fail(ErrorCode::kInvalidParameterException, "Missing required parameter DeviceRememberedStatus");
  const auto done = auth::RememberDevice(call.auth_context(), user_key, device_key,
                                         *status == DeviceRememberedStatusType::kRemembered);
  if (!done) return Refuse(call, done.error());
  return {};
}

ApiResult<void> Forget(Call& call, BytesView user_key, const std::string& device_key) {
  const auto done = auth::ForgetDevice(call.auth_context(), user_key, device_key);
  if (!done) return Refuse(call, done.error());
  return {};
}

}  // namespace

ApiResult<ConfirmDeviceResponse> ConfirmDevice(Call& call, const ConfirmDeviceRequest& request) {
  if (!request.DeviceSecretVerifierConfig) {
    return Fail(ErrorCode::kInvalidParameterException, "Missing required parameter DeviceSecretVerifierConfig");
  }
  const DeviceSecretVerifierConfigType& secret = *request.DeviceSecretVerifierConfig;
  SYMBOLON_TRY(Bytes verifier, NumberOf(secret.PasswordVerifier, "PasswordVerifier"));
  SYMBOLON_TRY(Bytes salt, NumberOf(secret.Salt, "Salt"));
  const Caller::SignedInUser& caller = call.signed_in();
  const auto asks_user =
      auth::ConfirmDevice(call.auth_context(), caller.user.key, caller.device_key, caller.authenticated_at,
                          {.key = request.DeviceKey,
                           .name = request.DeviceName.value_or(""),
                           .salt = std::move(salt),
                           .verifier = std::move(verifier)});
  if (!asks_user) return Refuse(call, asks_user.error());
  return ConfirmDeviceResponse{.UserConfirmationNecessary = *asks_user};
}

ApiResult<GetDeviceResponse> GetDevice(Call& call, const GetDeviceRequest& request) {
  SYMBOLON_TRY(DeviceType device, Get(call, call.signed_in().user.key, request.DeviceKey, DeviceViewer::kUser));
  return GetDeviceResponse{.Device = std::move(device)};
}

ApiResult<ListDevicesResponse> ListDevices(Call& call, const ListDevicesRequest& request) {
  SYMBOLON_TRY(Page page, List(call, request, call.signed_in().user.key, DeviceViewer::kUser));
  return ListDevicesResponse{.Devices = std::move(page.devices), .PaginationToken = std::move(page.next)};
}

ApiResult<UpdateDeviceStatusResponse> UpdateDeviceStatus(Call& call, const UpdateDeviceStatusRequest& request) {
  SYMBOLON_TRY_VOID(SetStatus(call, call.signed_in().user.key, request.DeviceKey, request.DeviceRememberedStatus));
  return UpdateDeviceStatusResponse{};
}

ApiResult<ForgetDeviceResponse> ForgetDevice(Call& call, const ForgetDeviceRequest& request) {
  SYMBOLON_TRY_VOID(Forget(call, call.signed_in().user.key, request.DeviceKey));
  return ForgetDeviceResponse{};
}

ApiResult<AdminGetDeviceResponse> AdminGetDevice(Call& call, const AdminGetDeviceRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY(DeviceType device, Get(call, user.key, request.DeviceKey, DeviceViewer::kAdmin));
  return AdminGetDeviceResponse{.Device = std::move(device)};
}

ApiResult<AdminListDevicesResponse> AdminListDevices(Call& call, const AdminListDevicesRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY(Page page, List(call, request, user.key, DeviceViewer::kAdmin));
  return AdminListDevicesResponse{.Devices = std::move(page.devices), .PaginationToken = std::move(page.next)};
}

ApiResult<AdminUpdateDeviceStatusResponse> AdminUpdateDeviceStatus(Call& call,
                                                                   const AdminUpdateDeviceStatusRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY_VOID(SetStatus(call, user.key, request.DeviceKey, request.DeviceRememberedStatus));
  return AdminUpdateDeviceStatusResponse{};
}

ApiResult<AdminForgetDeviceResponse> AdminForgetDevice(Call& call, const AdminForgetDeviceRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY_VOID(Forget(call, user.key, request.DeviceKey));
  return AdminForgetDeviceResponse{};
}

}  // namespace symbolon::cognito::operations
