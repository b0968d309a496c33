#include "replication/grpc/streams.h"

#include <utility>

#include "base/log.h"

namespace symbolon::replication::grpc_link {

void DialledStream::Begin() {
  const std::lock_guard lock(mutex_);
  // Closed by a Stop before it began.
  if (closed_) return owner_.OnDone(link_, shared_from_this());
  self_ = shared_from_this();
  stub_->async()->Connect(&context_, this);
  // Frames are sent and read from outside of reactions until Close.
  AddHold();
  StartCall();
}

void DialledStream::Send(pb::Frame frame) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  outgoing_ = std::move(frame);
  StartWrite(&outgoing_);
}

void DialledStream::Resume() {
  const std::lock_guard lock(mutex_);
  if (!closed_) StartRead(&incoming_);
}

void DialledStream::Close() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(closed_, true) || !self_) return;
  context_.TryCancel();
  RemoveHold();
}

// The first read begins here: reactions run on any thread, and a frame must not overtake the word that the link stands.
void DialledStream::OnReadInitialMetadataDone(bool ok) {
  if (!ok) return Close();
  owner_.events().OnConnected(link_);
  Resume();
}

void DialledStream::OnReadDone(bool ok) {
  if (!ok) return Close();
  owner_.events().OnFrame(link_, std::exchange(incoming_, {}));
}

void DialledStream::OnWriteDone(bool ok) {
  if (!ok) return Close();
  owner_.events().OnSent(link_);
}

void DialledStream::OnDone(const grpc::Status& status) {
  if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) {
    log::Debug("link {} ended: {}", link_, status.error_message());
  }
  owner_.OnDone(link_, std::move(self_));
}

void AcceptedStream::Begin(const Region& peer) {
  self_ = shared_from_this();
  link_ = owner_.events().NewLink();
  if (!owner_.Add(link_, peer, self_)) return End({grpc::StatusCode::UNAVAILABLE, "stopping"});
  owner_.events().OnAccepted(link_, peer);
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  StartSendInitialMetadata();
  StartRead(&incoming_);
}

void AcceptedStream::End(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(closed_, true)) return;
  if (!self_) self_ = shared_from_this();
  Finish(status);
}

void AcceptedStream::Send(pb::Frame frame) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  outgoing_ = std::move(frame);
  StartWrite(&outgoing_);
}

void AcceptedStream::Resume() {
  const std::lock_guard lock(mutex_);
  if (!closed_) StartRead(&incoming_);
}

void AcceptedStream::Close() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  context_.TryCancel();
  End({grpc::StatusCode::CANCELLED, "closed"});
}

// From now on it takes frames, as a dialled link does when it stands.
void AcceptedStream::OnSendInitialMetadataDone(bool ok) {
  if (ok) owner_.events().OnSent(link_);
}

void AcceptedStream::OnReadDone(bool ok) {
  if (!ok) return End(grpc::Status::OK);
  owner_.events().OnFrame(link_, std::exchange(incoming_, {}));
}

void AcceptedStream::OnWriteDone(bool ok) {
  if (!ok) return End(grpc::Status::OK);
  owner_.events().OnSent(link_);
}

void AcceptedStream::OnCancel() { End({grpc::StatusCode::CANCELLED, "closed"}); }

void AcceptedStream::OnDone() { owner_.OnDone(link_, std::move(self_)); }

}  // namespace symbolon::replication::grpc_link
