#include "replication/status.h"

#include <algorithm>

#include "storage/log.h"

namespace symbolon::replication {

std::optional<std::uint64_t> HeldByAll(const ReplicationStatus& status, const storage::pb::Epoch& epoch) {
  if (status.role.kind != Role::Kind::kPrimary) return std::nullopt;
  std::uint64_t held = UINT64_MAX;
  for (const MemberStatus& member : status.members) {
    // What it had of another epoch may be set aside.
    if (!member.acknowledged || !storage::SameEpoch(member.acknowledged->epoch(), epoch)) return std::nullopt;
    held = std::min(held, member.acknowledged->sequence());
  }
  return held;
}

}  // namespace symbolon::replication
