#include "erasure/subject.h"

#include "directory/users.h"

namespace symbolon::erasure {
namespace {

using directory::kUserKeyBytes;
using directory::RecordType;

BytesView FirstOf(BytesView id) { return id.substr(0, kUserKeyBytes); }
BytesView LastOf(BytesView id) { return id.size() < kUserKeyBytes ? id : id.substr(id.size() - kUserKeyBytes); }

RecordType TypeOf(BytesView key) { return static_cast<RecordType>(ReadBigEndian16(key)); }

}  // namespace

Subject::Subject(PoolId pool, const Bytes& user_key, Bytes name_key, std::shared_ptr<const keys::PoolKeys> keys)
    : pool_(std::move(pool)), name_key_(std::move(name_key)), keys_(std::move(keys)) {
  if (!user_key.empty()) user_keys_.insert(user_key);
}

bool Subject::Owns(BytesView key, BytesView value) const {
  if (key.size() < 2) return false;
  const BytesView id = key.substr(2);
  switch (TypeOf(key)) {
    case RecordType::kUser:
      // In pools whose users sign in with an address, the sub is the user name.
      return user_keys_.contains(id) || id == name_key_;
    case RecordType::kFindIndex:
    case RecordType::kMembershipOfGroup:
      return user_keys_.contains(LastOf(id));
    case RecordType::kMembershipOfUser:
    case RecordType::kDevice:
      return user_keys_.contains(FirstOf(id));
    case RecordType::kUniqueIndex: {
      if (id == name_key_) return true;
      const auto reference = ReferenceIn(id, value);
      return reference && user_keys_.contains(*reference);
    }
    default:
      return false;
  }
}

void Subject::Learn(const storage::pb::LogEntry& entry) {
  const Bytes* user = nullptr;
  int users = 0;
  bool of_name = false;
  for (const storage::pb::LogChange& change : entry.changes()) {
    if (change.key().size() < 2) continue;
    Learn(change.key(), change.value());
    const RecordType type = TypeOf(change.key());
    if (type == RecordType::kUser) {
      user = &change.key();
      ++users;
    }
    of_name = of_name || (type == RecordType::kUniqueIndex && BytesView(change.key()).substr(2) == name_key_);
  }
  // A sub comes and goes with its user, in one entry.
  if (of_name && users == 1) user_keys_.insert(user->substr(2));
}

void Subject::Learn(BytesView key, BytesView value) {
  if (key.size() < 2 || TypeOf(key) != RecordType::kUniqueIndex || key.substr(2) != name_key_) return;
  if (auto reference = ReferenceIn(key.substr(2), value)) user_keys_.insert(*std::move(reference));
}

std::optional<Bytes> Subject::ReferenceIn(BytesView id, BytesView value) const {
  if (keys_ == nullptr || value.empty()) return std::nullopt;
  const storage::Key key{.space = storage::Space::kDirectory,
                         .pool = pool_,
                         .type = static_cast<std::uint16_t>(RecordType::kUniqueIndex),
                         .id = Bytes(id)};
  const auto plain = keys_->Open(key, value);
  directory::pb::UserReference reference;
  // Sealed under a data key that is gone: nobody reads it.
  if (!plain || !reference.ParseFromString(*plain)) return std::nullopt;
  return std::move(*reference.mutable_user_key());
}

}  // namespace symbolon::erasure
