#include "replication/fact_signatures.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "replication/statement.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

constexpr int kPathMax = std::bit_width(kFactsSignedTogetherMax - 1);

Bytes LeafDigest(const storage::pb::FactEntry& entry) {
  const storage::pb::FactValue& value = entry.value();
  Statement statement("symbolon fact 1");
  statement.Octets(entry.region()).Octets(entry.incarnation()).Number(entry.number()).Octets(entry.key());
  statement.Number(value.maximum()).Number(value.region_maximum().size());
  // In order: a map has none.
  for (const auto& [region, maximum] :
       std::map<Bytes, std::uint64_t>(value.region_maximum().begin(), value.region_maximum().end())) {
    statement.Octets(region).Number(maximum);
  }
  for (const auto* elements : {&value.elements(), &value.removed_elements()}) {
    statement.Number(static_cast<std::uint64_t>(elements->size()));
    for (const Bytes& element : *elements) statement.Octets(element);
  }
  statement.Number(static_cast<std::uint64_t>(value.expires_at_micros()));
  return storage::ValueDigest(statement.Take());
}

Bytes NodeDigest(BytesView left, BytesView right) {
  return storage::ValueDigest(Statement("symbolon facts node 1").Octets(left).Octets(right).Take());
}

Bytes RootStatement(const PoolId& pool, BytesView region, BytesView root) {
  return Statement("symbolon facts 1").Octets(pool.value()).Octets(region).Octets(root).Take();
}

Bytes ForgottenStatement(const PoolId& pool, const Region& region, std::int64_t until_micros) {
  return Statement("symbolon forgotten 1")
      .Octets(pool.value())
      .Octets(region.value())
      .Number(static_cast<std::uint64_t>(until_micros))
      .Take();
}

void ProveGroup(const LogSigner& signer, const PoolId& pool, const Region& region,
                std::span<storage::pb::FactEntry* const> group) {
  std::vector<Bytes> level;
  for (const storage::pb::FactEntry* entry : group) level.push_back(LeafDigest(*entry));
  level.resize(std::bit_ceil(level.size()), Bytes(storage::kDigestBytes, '\0'));
  for (std::size_t i = 0; i < group.size(); ++i) group[i]->mutable_proof()->set_index(static_cast<std::uint32_t>(i));
  for (int height = 0; level.size() > 1; ++height) {
    for (std::size_t i = 0; i < group.size(); ++i) group[i]->mutable_proof()->add_path(level[(i >> height) ^ 1]);
    for (std::size_t i = 0; i < level.size() / 2; ++i) level[i] = NodeDigest(level[2 * i], level[2 * i + 1]);
    level.resize(level.size() / 2);
  }
  const Bytes signature = signer.Sign(RootStatement(pool, region.value(), level.front()));
  for (storage::pb::FactEntry* entry : group) entry->mutable_proof()->set_signature(signature);
}

}  // namespace

void ProveFacts(const LogSigner& signer, const PoolId& pool, const Region& region,
                std::vector<storage::pb::FactEntry>& entries) {
  std::vector<storage::pb::FactEntry*> group;
  const auto prove = [&] {
    if (!group.empty()) ProveGroup(signer, pool, region, group);
    group.clear();
  };
  for (storage::pb::FactEntry& entry : entries) {
    if (entry.has_proof() || entry.key().empty() || entry.region() != region.value()) continue;
    group.push_back(&entry);
    if (group.size() == kFactsSignedTogetherMax) prove();
  }
  prove();
}

pb::ForgottenFacts SignForgotten(const LogSigner& signer, const PoolId& pool, const Region& region,
                                 std::int64_t until_micros) {
  pb::ForgottenFacts forgotten;
  forgotten.set_until_micros(until_micros);
  forgotten.set_signature(signer.Sign(ForgottenStatement(pool, region, until_micros)));
  return forgotten;
}

bool FactVerifier::IsProven(const PoolId& pool, const storage::pb::FactEntry& entry, std::span<const Bytes> keys) {
  const storage::pb::FactProof& proof = entry.proof();
  if (proof.path_size() > kPathMax || proof.index() >> proof.path_size() != 0) return false;
  Bytes digest = LeafDigest(entry);
  for (int height = 0; height < proof.path_size(); ++height) {
    const bool right = (proof.index() >> height & 1) != 0;
    digest = right ? NodeDigest(proof.path(height), digest) : NodeDigest(digest, proof.path(height));
  }
  return IsSigned(RootStatement(pool, entry.region(), digest), proof.signature(), keys);
}

bool FactVerifier::IsProven(const PoolId& pool, const Region& region, const pb::ForgottenFacts& forgotten,
                            std::span<const Bytes> keys) {
  return IsSigned(ForgottenStatement(pool, region, forgotten.until_micros()), forgotten.signature(), keys);
}

bool FactVerifier::IsSigned(Bytes statement, const Bytes& signature, std::span<const Bytes> keys) {
  if (statement == statement_ && signature == signature_ && std::ranges::find(keys, key_) != keys.end()) return true;
  const auto key =
      std::ranges::find_if(keys, [&](const Bytes& tried) { return signer_.Verify(tried, statement, signature); });
  if (key == keys.end()) return false;
  statement_ = std::move(statement);
  signature_ = signature;
  key_ = *key;
  return true;
}

}  // namespace symbolon::replication
