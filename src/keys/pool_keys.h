// The opened keys of one pool: sealing of records and of tokens that we issue to ourselves, and blind indexes
// (architecture §6).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "storage/store.h"

namespace symbolon::keys {

enum class OpenErrorCode {
  // Not a sealed value of this format, or altered, or sealed for another place, purpose, client or pool.
  kInvalid,
  // Sealed under a data-key generation that these keys do not hold.
  kUnknownGeneration,
};

struct OpenError {
  OpenErrorCode code;
  std::string detail;  // for the operator's log
};

template <class T>
using OpenResult = Result<T, OpenError>;

// The data-key generation that a sealed record names; nullopt: it is no sealed record. A protobuf message, which is
// what records stored in clear are, never looks like one.
std::optional<BytesView> GenerationOf(BytesView sealed);

// What a sealed token is for; each purpose has a key of its own, so that none is accepted for another.
enum class TokenPurpose : std::uint8_t {
  kSession = 1,
  kSrpBlock = 2,
  kRefreshToken = 3,
  kAuthorizationCode = 4,
  kPageToken = 5,
  // What we send along with a browser to an identity provider, and get back.
  kFederationState = 6,
};

// Thread-safe, and immutable but for its retirement; the key octets are wiped when the last holder lets go. Holders
// keep it for one request at the longest, because a withdrawn CMK takes it out of the keyring.
class PoolKeys {
 public:
  virtual ~PoolKeys() = default;

  virtual const PoolId& pool() const = 0;
  // The data-key generation that seals; and whether records of this one open.
  virtual BytesView sealing_generation() const = 0;
  virtual bool Holds(BytesView generation) const = 0;

  // A record, bound to its logical key (space, pool, type, id). Never equal twice.
  virtual Bytes Seal(const storage::Key& key, BytesView plaintext, Random& random) const = 0;
  virtual OpenResult<Bytes> Open(const storage::Key& key, BytesView sealed) const = 0;

  // A token, bound to purpose, pool and `audience` (a client id, or empty).
  virtual Bytes SealToken(TokenPurpose purpose, std::string_view audience, BytesView plaintext,
                          Random& random) const = 0;
  virtual OpenResult<Bytes> OpenToken(TokenPurpose purpose, std::string_view audience, BytesView sealed) const = 0;

  // 32 octets: HMAC of a normalised value under the pool's index key, one function per label ("username", "find:email"
  // ...).
  virtual Bytes BlindIndex(std::string_view label, BytesView value) const = 0;
  // 32 octets: HMAC under the pool's identity key, for what must come out equal in every Region (derived subs, decoys
  // for unknown users).
  virtual Bytes Derive(std::string_view label, BytesView value) const = 0;

  // The keyring let go of these keys. What was decrypted with them may be used for the request that is under way, and
  // may not be kept.
  bool retired() const { return retired_; }
  void Retire() const { retired_ = true; }

 private:
  mutable std::atomic<bool> retired_ = false;
};

}  // namespace symbolon::keys
