#include "versions.h"

namespace symbolon::simulation {

void SendAs(const Versions& own, replication::pb::Frame& frame) {
  if (frame.has_hello()) {
    frame.mutable_hello()->set_oldest_version(own.oldest);
    frame.mutable_hello()->set_newest_version(own.newest);
  }
  if (!own.newer()) return;
  AddUnknownField(frame);
  const google::protobuf::Reflection& reflection = *frame.GetReflection();
  const auto* body = reflection.GetOneofFieldDescriptor(frame, frame.GetDescriptor()->oneof_decl(0));
  if (body != nullptr) AddUnknownField(*reflection.MutableMessage(&frame, body));
}

void ReceiveAs(const Versions& own, replication::pb::Frame& frame) {
  if (!frame.has_hello()) return;
  replication::pb::Hello& hello = *frame.mutable_hello();
  const Versions peer{hello.oldest_version(), hello.newest_version()};
  const std::uint32_t seen = own.Share(peer) ? 1 : peer.newest < own.oldest ? 0 : 2;
  hello.set_oldest_version(seen);
  hello.set_newest_version(seen);
}

}  // namespace symbolon::simulation
