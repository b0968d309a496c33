#include "replication/open.h"

#include <algorithm>

#include "storage/log.h"

namespace symbolon::replication {
namespace {

// Where epoch `index` of the history ends; an epoch that is open ends at the head.
std::uint64_t EndOf(const storage::pb::History& history, int index, std::uint64_t head) {
  return index + 1 < history.epochs_size() ? history.epochs(index + 1).first_sequence() - 1 : head;
}

bool SameBegin(const storage::pb::EpochBegin& a, const storage::pb::EpochBegin& b) {
  return storage::CompareEpochs(a.epoch(), b.epoch()) == 0 && a.first_sequence() == b.first_sequence() &&
         a.digest() == b.digest();
}

bool KnowsHigherEpoch(const pb::Open& open, const storage::pb::History& own) {
  const int theirs = open.history().epochs_size();
  if (theirs == 0) return false;
  if (own.epochs_size() == 0) return true;
  return storage::CompareEpochs(open.history().epochs(theirs - 1).epoch(), own.epochs(own.epochs_size() - 1).epoch()) >
         0;
}

// From where the consumer can go on, whoever it is.
OpenDecision DecideData(const pb::Open& open, const SupplierView& supplier) {
  if (!open.has_head()) return Copy{};
  const std::uint64_t sequence = open.head().sequence();
  const std::optional<Bytes> digest = supplier.digest_at(sequence);
  if (digest && *digest == open.head().digest()) {
    if (sequence < supplier.erased_through) return Copy{};
    return Follow{sequence + 1};
  }

  const std::uint64_t fork = Fork(open.history(), sequence, supplier.history, supplier.head->sequence());
  if (sequence > fork) return Diverged{fork};
  if (digest) return Diverged{std::min(fork, sequence - 1)};

  return Copy{};
}

}  // namespace

std::uint64_t Fork(const storage::pb::History& a, std::uint64_t a_head, const storage::pb::History& b,
                   std::uint64_t b_head) {
  // Histories agree on a prefix: the digests chain, so an equal epoch has equal ones before it.
  int equal = 0;
  while (equal < a.epochs_size() && equal < b.epochs_size() && SameBegin(a.epochs(equal), b.epochs(equal))) ++equal;
  if (equal == 0) return 0;
  return std::min(EndOf(a, equal - 1, a_head), EndOf(b, equal - 1, b_head));
}

OpenDecision DecideOpen(const pb::Open& open, const SupplierView& supplier) {
  if (!supplier.head) return Refused{pb::UNKNOWN_POOL};
  if (supplier.member == nullptr) return Refused{pb::NOT_MEMBER};

  if (!supplier.supplies) return NotPrimary{supplier.hint};

  if (KnowsHigherEpoch(open, supplier.history)) return Behind{open.history().epochs().rbegin()->epoch()};

  // A member that has to go gets no data, but what it alone has is set aside first.
  const OpenDecision decision = DecideData(open, supplier);
  if (supplier.member->state() != pb::DELETING || std::holds_alternative<Diverged>(decision)) return decision;
  return Refused{pb::BEING_DELETED};
}

}  // namespace symbolon::replication
