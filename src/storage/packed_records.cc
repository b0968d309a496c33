#include "storage/packed_records.h"

#include <utility>

#include "base/result.h"

namespace symbolon::storage {

std::optional<PackedRecords> PackedRecords::Parse(Bytes octets) {
  PackedRecords packed;
  for (std::size_t at = 0; at < octets.size();) {
    for (const bool id : {true, false}) {
      if (octets.size() - at < kLengthBytes) return std::nullopt;
      const std::size_t length = ReadBigEndian32(BytesView(octets).substr(at));
      at += kLengthBytes;
      if (octets.size() - at < length) return std::nullopt;
      if (id) {
        packed.last_id_at_ = at;
        packed.last_id_bytes_ = length;
      }
      at += length;
    }
    ++packed.count_;
  }
  packed.octets_ = std::move(octets);
  return packed;
}

void PackedRecords::Add(BytesView id, BytesView value) {
  SYMBOLON_CHECK(id.size() <= UINT32_MAX && value.size() <= UINT32_MAX);
  AppendBigEndian32(octets_, static_cast<std::uint32_t>(id.size()));
  last_id_at_ = octets_.size();
  last_id_bytes_ = id.size();
  octets_.append(id);
  AppendBigEndian32(octets_, static_cast<std::uint32_t>(value.size()));
  octets_.append(value);
  ++count_;
}

Bytes PackedRecords::TakeOctets() && {
  count_ = last_id_at_ = last_id_bytes_ = 0;
  return std::exchange(octets_, {});
}

void PackedRecords::Iterator::Read() {
  if (rest_.empty()) return;
  record_.id = rest_.substr(kLengthBytes, ReadBigEndian32(rest_));
  const BytesView behind = rest_.substr(kLengthBytes + record_.id.size());
  record_.value = behind.substr(kLengthBytes, ReadBigEndian32(behind));
}

}  // namespace symbolon::storage
