// The octets that signatures and digests of replication are over.
#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

// A label, numbers in 8 octets, and octets preceded by their number in 4.
class Statement {
 public:
  explicit Statement(BytesView label) : octets_(label) {}

  Statement& Number(std::uint64_t number) {
    AppendBigEndian64(octets_, number);
    return *this;
  }
  Statement& Octets(BytesView octets) {
    AppendBigEndian32(octets_, static_cast<std::uint32_t>(octets.size()));
    octets_.append(octets);
    return *this;
  }
  Statement& Epoch(const storage::pb::Epoch& epoch) {
    return Number(epoch.counter()).Octets(epoch.region()).Octets(epoch.incarnation());
  }
  Statement& Head(const storage::pb::Head& head) {
    return Epoch(head.epoch()).Number(head.sequence()).Octets(head.digest());
  }
  Bytes Take() { return std::move(octets_); }

 private:
  Bytes octets_;
};

}  // namespace symbolon::replication
