// Digests and order of the directory log (replication protocol §1). Pure functions.
#pragma once

#include "base/bytes.h"
#include "storage/log.pb.h"

namespace symbolon::storage {

inline constexpr std::size_t kDigestBytes = 32;

// What precedes the first entry.
Bytes ZeroDigest();

// SHA-256 over these octets, numbers big-endian, every string (what has no fixed size below) preceded by its length in
// 4 octets:
//   "symbolon log 1" ‖ epoch.counter(8) ‖ epoch.region ‖ epoch.incarnation ‖ sequence(8) ‖ previous_digest(32)
//   ‖ commit_time_micros(8) ‖ starts_epoch(1) ‖ number of changes(4) ‖ for each change: key ‖ deleted(1) ‖ value_digest
// `previous_digest` must have 32 octets.
Bytes EntryDigest(const pb::LogEntry& entry);

// SHA-256 of a stored value.
Bytes ValueDigest(BytesView value);

// Negative, zero, positive: counter, then Region, then incarnation.
int CompareEpochs(const pb::Epoch& a, const pb::Epoch& b);
// By epoch, then sequence.
int ComparePositions(const pb::Position& a, const pb::Position& b);

bool SameEpoch(const pb::Epoch& a, const pb::Epoch& b);

// How far `vector` has the facts of this Region and incarnation; 0: not at all.
std::uint64_t ProgressOf(const pb::FactVector& vector, BytesView region, BytesView incarnation);
// Everything in `part` is in `whole`.
bool Covers(const pb::FactVector& whole, const pb::FactVector& part);

// The least upper bound: maxima and unions. Commutative, associative, idempotent; elements come out sorted.
void JoinFact(pb::FactValue& into, const pb::FactValue& value);

}  // namespace symbolon::storage
