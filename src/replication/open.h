// How a supplier answers a consumer that opens a pool's directory (replication protocol §2): one pure, total function,
// in the order of the protocol's table.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/ids.h"
#include "replication/link.pb.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

// What the supplier knows of the pool when it answers.
struct SupplierView {
  // Unset: no log of the pool here.
  std::optional<storage::pb::Head> head;
  storage::pb::History history;
  // The consumer's row in the role record; nullptr: it has none.
  const pb::Member* member = nullptr;
  // This store opened the history's last epoch and has not promised a higher one, or it has promised one to the
  // consumer, which collects the longest log for it.
  bool supplies = false;
  // Who is said to own it; empty: not known.
  Region hint;
  // The digest of the entry with this sequence, if it is kept or is the one before the first kept.
  std::function<std::optional<Bytes>(std::uint64_t)> digest_at;
  // The last entry that has lost a body (Store::EraseLogBodies); 0: none. Whoever needs it takes a copy.
  std::uint64_t erased_through = 0;
};

struct Refused {
  pb::RefusalReason reason;
};
struct NotPrimary {
  Region hint;
};
struct Behind {
  storage::pb::Epoch epoch;
};
struct Follow {
  std::uint64_t from;
};
struct Diverged {
  // The last sequence that both may have in common.
  std::uint64_t fork;
};
struct Copy {};

using OpenDecision = std::variant<Refused, NotPrimary, Behind, Follow, Diverged, Copy>;

OpenDecision DecideOpen(const pb::Open& open, const SupplierView& supplier);

// The smaller of both ends of the last epoch that is equal on both sides; 0: none is.
std::uint64_t Fork(const storage::pb::History& a, std::uint64_t a_head, const storage::pb::History& b,
                   std::uint64_t b_head);

}  // namespace symbolon::replication
