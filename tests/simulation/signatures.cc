#include "signatures.h"

#include <chrono>
#include <limits>

#include "storage/log.h"

namespace symbolon::simulation {
namespace {

Bytes SignatureBy(BytesView public_key, BytesView statement) {
  Bytes keyed("the private half of ");
  keyed.append(public_key).append(statement);
  return storage::ValueDigest(keyed);
}

void FlipLastBit(Bytes& octets) {
  if (!octets.empty()) octets.back() = static_cast<char>(octets.back() ^ 1);
}

// The newest entry says something else, and is one in itself.
void ForgeEntries(replication::pb::Batch& batch) {
  batch.clear_signed_head();
  storage::pb::LogEntry entry;
  if (batch.entries().empty() || !entry.ParseFromString(*batch.entries().rbegin())) return;
  for (storage::pb::LogChange& change : *entry.mutable_changes()) {
    if (!change.has_value()) continue;
    FlipLastBit(*change.mutable_value());
    change.set_value_digest(storage::ValueDigest(change.value()));
    break;
  }
  batch.set_entries(batch.entries_size() - 1, entry.SerializeAsString());
}

// Facts say something else, whoever said them; of every other one the proof is gone. And much more was forgotten.
void ForgeFacts(replication::pb::Facts& facts) {
  if (facts.has_forgotten()) {
    facts.mutable_forgotten()->set_until_micros(facts.forgotten().until_micros() +
                                                std::chrono::microseconds(std::chrono::years(10)).count());
  }
  for (storage::pb::FactEntry& entry : *facts.mutable_entries()) {
    if (!entry.has_proof()) continue;
    entry.mutable_value()->set_maximum(entry.value().maximum() + 1);
    if (entry.number() % 2 == 0) entry.clear_proof();
  }
}

// Now and then it names the last epoch that there can be, as promised or to be promised.
void ForgeEpochs(replication::pb::Frame& frame) {
  if (frame.number() % 2 == 0) return;
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  const auto raise = [](replication::pb::Standing& standing) {
    *standing.mutable_promised() = standing.epoch();
    standing.mutable_promised()->set_counter(kLast);
  };
  if (frame.has_pools()) {
    for (auto& state : *frame.mutable_pools()->mutable_pools()) raise(*state.mutable_standing());
  }
  if (frame.has_outcome()) raise(*frame.mutable_outcome()->mutable_standing());
  if (frame.has_promise_answer()) {
    frame.mutable_promise_answer()->set_granted(false);
    raise(*frame.mutable_promise_answer()->mutable_standing());
  }
  if (frame.has_promise_request()) frame.mutable_promise_request()->mutable_epoch()->set_counter(kLast);
}

}  // namespace

Bytes SimSigner::Sign(BytesView statement) const { return SignatureBy(public_key_, statement); }

bool SimSigner::Verify(BytesView public_key, BytesView statement, BytesView signature) const {
  const bool of_facts = statement.starts_with("symbolon facts");
  if (plant_ == Plant::kAcceptAnyHead && !of_facts) return true;
  if (plant_ == Plant::kAcceptAnyFact && of_facts) return true;
  return public_key.size() == replication::kLogKeyBytes && signature == SignatureBy(public_key, statement);
}

void Forge(replication::pb::Frame& frame) {
  static const SimSigner kImpostor(Bytes(replication::kLogKeyBytes, '?'));
  if (frame.has_outcome() && !frame.outcome().signature().empty()) {
    frame.mutable_outcome()->set_signature(kImpostor.Sign("an answer"));
  }
  if (frame.has_batch()) ForgeEntries(*frame.mutable_batch());
  if (frame.has_copy_piece()) {
    // Its end is the end of a record's value.
    FlipLastBit(*frame.mutable_copy_piece()->mutable_packed_records());
    frame.mutable_copy_piece()->set_signature(kImpostor.Sign("a piece"));
  }
  if (frame.has_facts()) ForgeFacts(*frame.mutable_facts());
  ForgeEpochs(frame);
}

}  // namespace symbolon::simulation
