#include "replication/log_signatures.h"

#include <utility>

#include "replication/statement.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

Bytes HeadStatement(const PoolId& pool, const pb::SignedHead& head) {
  return Statement("symbolon head 1")
      .Octets(pool.value())
      .Epoch(head.epoch())
      .Number(head.sequence())
      .Octets(head.digest())
      .Take();
}

void AddCopy(Statement& statement, const pb::Outcome::Copy& copy) {
  statement.Head(copy.head()).Number(copy.resumes()).Number(static_cast<std::uint64_t>(copy.history().epochs_size()));
  for (const storage::pb::EpochBegin& begin : copy.history().epochs()) {
    statement.Epoch(begin.epoch()).Number(begin.first_sequence()).Octets(begin.digest());
  }
}

}  // namespace

pb::SignedHead SignHead(const LogSigner& signer, const PoolId& pool, const storage::pb::Epoch& epoch,
                        std::uint64_t sequence, Bytes digest) {
  pb::SignedHead head;
  *head.mutable_epoch() = epoch;
  head.set_sequence(sequence);
  head.set_digest(std::move(digest));
  head.set_signature(signer.Sign(HeadStatement(pool, head)));
  return head;
}

bool VerifyHead(const LogSigner& signer, BytesView key, const PoolId& pool, const pb::SignedHead& head) {
  return signer.Verify(key, HeadStatement(pool, head), head.signature());
}

Bytes OutcomeStatement(const Region& supplier, const Region& consumer, const pb::Open& open,
                       const pb::Outcome& outcome) {
  Statement statement("symbolon outcome 1");
  statement.Octets(outcome.pool())
      .Octets(supplier.value())
      .Octets(consumer.value())
      .Octets(open.nonce())
      .Head(open.head())
      .Epoch(outcome.standing().epoch())
      .Number(static_cast<std::uint64_t>(outcome.outcome_case()));
  switch (outcome.outcome_case()) {
    case pb::Outcome::kRefused:
      statement.Number(static_cast<std::uint64_t>(outcome.refused())).Number(outcome.member_number());
      break;
    case pb::Outcome::kNotPrimary:
      statement.Octets(outcome.not_primary());
      break;
    case pb::Outcome::kBehind:
      statement.Epoch(outcome.behind());
      break;
    case pb::Outcome::kFollow:
      statement.Number(outcome.follow());
      break;
    case pb::Outcome::kDiverged:
      statement.Number(outcome.diverged());
      break;
    case pb::Outcome::kCopy:
      AddCopy(statement, outcome.copy());
      break;
    case pb::Outcome::OUTCOME_NOT_SET:
      break;
  }
  return statement.Take();
}

Bytes PieceStatement(const storage::pb::Head& copy, BytesView after, const pb::CopyPiece& piece) {
  return Statement("symbolon piece 1")
      .Octets(piece.pool())
      .Head(copy)
      .Octets(after)
      .Number(piece.last())
      .Octets(storage::ValueDigest(piece.packed_records()))
      .Take();
}

}  // namespace symbolon::replication
