#include "cognito/forwarded.h"

#include "cognito/forwarded.pb.h"

namespace symbolon::cognito {
namespace {

using PbHeaders = google::protobuf::RepeatedPtrField<pb::HeaderField>;

void Encode(const http::Headers& headers, PbHeaders& fields) {
  for (const auto& [name, value] : headers) {
    pb::HeaderField& field = *fields.Add();
    field.set_name(name);
    field.set_value(value);
  }
}

http::Headers Decode(PbHeaders& fields) {
  http::Headers headers;
  for (pb::HeaderField& field : fields) {
    headers.Add(std::move(*field.mutable_name()), std::move(*field.mutable_value()));
  }
  return headers;
}

}  // namespace

Bytes EncodeForwarded(const http::Request& request, Timestamp arrived) {
  pb::ForwardedRequest message;
  message.set_method(request.method);
  message.set_target(request.target);
  Encode(request.headers, *message.mutable_headers());
  message.set_body(request.body);
  message.set_client_address(request.peer_address);
  message.set_arrived_micros(ToMicros(arrived));
  message.set_over_tls(request.is_tls);
  return message.SerializeAsString();
}

std::optional<http::Request> ParseForwardedRequest(const Bytes& octets) {
  pb::ForwardedRequest message;
  if (!message.ParseFromString(octets)) return std::nullopt;
  return http::Request{.method = std::move(*message.mutable_method()),
                       .target = std::move(*message.mutable_target()),
                       .headers = Decode(*message.mutable_headers()),
                       .body = std::move(*message.mutable_body()),
                       .peer_address = std::move(*message.mutable_client_address()),
                       .is_loopback = false,
                       .is_tls = message.over_tls(),
                       .received = FromMicros(message.arrived_micros())};
}

Bytes EncodeForwarded(const http::Response& response) {
  pb::ForwardedResponse message;
  message.set_status(response.status);
  Encode(response.headers, *message.mutable_headers());
  message.set_body(response.body);
  return message.SerializeAsString();
}

std::optional<http::Response> ParseForwardedResponse(const Bytes& octets) {
  pb::ForwardedResponse message;
  constexpr int kLeastStatus = 200, kGreatestStatus = 599;
  if (!message.ParseFromString(octets) || message.status() < kLeastStatus || message.status() > kGreatestStatus) {
    return std::nullopt;
  }
  return http::Response{.status = message.status(),
                        .headers = Decode(*message.mutable_headers()),
                        .body = std::move(*message.mutable_body())};
}

}  // namespace symbolon::cognito
