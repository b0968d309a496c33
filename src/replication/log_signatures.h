// What Regions sign with their log keys, and how others check it (docs/adr/0024-signatures.md).
//
// A Region has one log key. Its public half is told in Hello and pinned in the role records of its pools (roles.h). The
// statements are octets with a label each, so that no signature stands for another statement. Pure functions,
// thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/ed25519.h"
#include "replication/link.pb.h"

namespace symbolon::replication {

inline constexpr std::size_t kLogKeyBytes = crypto::kEd25519PublicKeyBytes;
inline constexpr std::size_t kNonceBytes = 16;

// Signs in this Region's name, and checks what others signed. Thread-safe.
class LogSigner {
 public:
  virtual ~LogSigner() = default;
  // kLogKeyBytes; the same for as long as the object lives.
  virtual const Bytes& public_key() const = 0;
  virtual Bytes Sign(BytesView statement) const = 0;
  // False also for octets that are no key or no signature.
  virtual bool Verify(BytesView public_key, BytesView statement, BytesView signature) const = 0;
};

// Ed25519 (RFC 8032).
class Ed25519LogSigner final : public LogSigner {
 public:
  explicit Ed25519LogSigner(crypto::Ed25519Key key) : key_(std::move(key)), public_key_(key_.PublicKey()) {}

  const Bytes& public_key() const override { return public_key_; }
  Bytes Sign(BytesView statement) const override { return key_.Sign(statement); }
  bool Verify(BytesView public_key, BytesView statement, BytesView signature) const override {
    return crypto::VerifyEd25519(public_key, statement, signature);
  }

 private:
  const crypto::Ed25519Key key_;
  const Bytes public_key_;
};

// "The log of my epoch has this digest at this sequence."
pb::SignedHead SignHead(const LogSigner& signer, const PoolId& pool, const storage::pb::Epoch& epoch,
                        std::uint64_t sequence, Bytes digest);
// `key`: of head.epoch().region().
bool VerifyHead(const LogSigner& signer, BytesView key, const PoolId& pool, const pb::SignedHead& head);

// What a supplier answers to an Open: with the Open's nonce, so that it is fresh, and with the consumer's head, which
// it confirms when it says `follow`. Of `open` only the nonce and the head are read.
Bytes OutcomeStatement(const Region& supplier, const Region& consumer, const pb::Open& open,
                       const pb::Outcome& outcome);

// "The copy at this head has exactly these records after that cursor" (CopyPiece::packed_records), and ends there if it
// is the last piece.
Bytes PieceStatement(const storage::pb::Head& copy, BytesView after, const pb::CopyPiece& piece);

}  // namespace symbolon::replication
