// How a Region signs what it says as facts, so that others can pass it on (docs/adr/0024-signatures.md).
//
// Entries are signed when they are sent, in groups: one signature over the root of a tree of digests, and with each
// entry its way to the root. So a fact costs a Region some hashes, and its proof stays valid by itself. Not
// thread-safe.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "replication/link.pb.h"
#include "replication/log_signatures.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

inline constexpr std::size_t kFactsSignedTogetherMax = 16;

// Gives a proof to every entry of this Region's that has none, `region` being its name. What says nothing needs none.
void ProveFacts(const LogSigner& signer, const PoolId& pool, const Region& region,
                std::vector<storage::pb::FactEntry>& entries);

// What this Region, `region`, says of how far it has forgotten: whoever takes it over refuses tokens for it.
pb::ForgottenFacts SignForgotten(const LogSigner& signer, const PoolId& pool, const Region& region,
                                 std::int64_t until_micros);

class FactVerifier {
 public:
  explicit FactVerifier(const LogSigner& signer) : signer_(signer) {}
  // The entry is as the Region that it names signed it, with one of these keys.
  bool IsProven(const PoolId& pool, const storage::pb::FactEntry& entry, std::span<const Bytes> keys);
  // The same of what `region` says of itself.
  bool IsProven(const PoolId& pool, const Region& region, const pb::ForgottenFacts& forgotten,
                std::span<const Bytes> keys);

 private:
  bool IsSigned(Bytes statement, const Bytes& signature, std::span<const Bytes> keys);

  const LogSigner& signer_;
  // What was found to be signed last, for the other entries of the group.
  Bytes statement_;
  Bytes signature_;
  Bytes key_;
};

}  // namespace symbolon::replication
