#include "storage/log.h"

#include <algorithm>

#include "base/result.h"
#include "crypto/hash.h"

namespace symbolon::storage {
namespace {

void AppendString(Bytes& out, BytesView text) {
  AppendBigEndian32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

template <class T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

using Elements = google::protobuf::RepeatedPtrField<std::string>;

void JoinElements(Elements& into, const Elements& other) {
  into.MergeFrom(other);
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

}  // namespace

Bytes ZeroDigest() { return Bytes(kDigestBytes, '\0'); }

Bytes EntryDigest(const pb::LogEntry& entry) {
  SYMBOLON_CHECK(entry.previous_digest().size() == kDigestBytes);
  Bytes octets;
  octets.reserve(160 + static_cast<std::size_t>(entry.changes_size()) * 100);
  AppendString(octets, "symbolon log 1");
  AppendBigEndian64(octets, entry.epoch().counter());
  AppendString(octets, entry.epoch().region());
  AppendString(octets, entry.epoch().incarnation());
  AppendBigEndian64(octets, entry.sequence());
  octets.append(entry.previous_digest());
  AppendBigEndian64(octets, static_cast<std::uint64_t>(entry.commit_time_micros()));
  octets.push_back(entry.starts_epoch() ? '\1' : '\0');
  AppendBigEndian32(octets, static_cast<std::uint32_t>(entry.changes_size()));
  for (const pb::LogChange& change : entry.changes()) {
    AppendString(octets, change.key());
    octets.push_back(change.deleted() ? '\1' : '\0');
    AppendString(octets, change.value_digest());
  }
  return crypto::Sha256(octets);
}

Bytes ValueDigest(BytesView value) { return crypto::Sha256(value); }

int CompareEpochs(const pb::Epoch& a, const pb::Epoch& b) {
  if (int order = Compare(a.counter(), b.counter())) return order;
  if (int order = Compare(a.region(), b.region())) return order;
  return Compare(a.incarnation(), b.incarnation());
}

int ComparePositions(const pb::Position& a, const pb::Position& b) {
  if (int order = CompareEpochs(a.epoch(), b.epoch())) return order;
  return Compare(a.sequence(), b.sequence());
}

bool SameEpoch(const pb::Epoch& a, const pb::Epoch& b) { return CompareEpochs(a, b) == 0; }

std::uint64_t ProgressOf(const pb::FactVector& vector, BytesView region, BytesView incarnation) {
  for (const pb::FactProgress& progress : vector.progress()) {
    if (progress.region() == region && progress.incarnation() == incarnation) return progress.number();
  }
  return 0;
}

bool Covers(const pb::FactVector& whole, const pb::FactVector& part) {
  return std::all_of(part.progress().begin(), part.progress().end(), [&](const pb::FactProgress& progress) {
    return ProgressOf(whole, progress.region(), progress.incarnation()) >= progress.number();
  });
}

void JoinFact(pb::FactValue& into, const pb::FactValue& value) {
  into.set_maximum(std::max(into.maximum(), value.maximum()));
  for (const auto& [region, maximum] : value.region_maximum()) {
    std::uint64_t& mine = (*into.mutable_region_maximum())[region];
    mine = std::max(mine, maximum);
  }
  JoinElements(*into.mutable_elements(), value.elements());
  JoinElements(*into.mutable_removed_elements(), value.removed_elements());
  into.set_expires_at_micros(std::max(into.expires_at_micros(), value.expires_at_micros()));
}

}  // namespace symbolon::storage
