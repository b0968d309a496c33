// A proof by SRP (crypto/srp.h), of a user's password or of a device's secret: the challenge, whose whole state is in a
// sealed block that travels with the client, and its answer. Part of sign_in.h.
#pragma once

#include <optional>
#include <string_view>

#include "auth/clients.h"
#include "auth/context.h"
#include "auth/error.h"
#include "auth/tokens.pb.h"
#include "base/secret.h"
#include "crypto/srp.h"

namespace symbolon::auth {

// SRP_A. Errors: kInvalidParameter.
AuthResult<crypto::SrpClientPublicKey> ParseSrpA(std::string_view srp_a);

// SALT, SRP_B and SECRET_BLOCK of a challenge that expects the secret of `verifier`. `block`: id, user_key, user_id,
// expires_micros and, of a device, session; the rest is filled in.
Parameters ChallengeBySrp(const Context& context, const directory::pb::ClientRecord& client,
                          const crypto::SrpClientPublicKey& client_public_key,
                          const directory::pb::PasswordVerifier& verifier, pb::SrpBlock block);

// Of an answer's parameters, to which it refers.
struct SrpClaim {
  std::string_view secret_block;
  std::string_view signature;
  std::string_view timestamp;
};
// Errors: kInvalidParameter.
AuthResult<SrpClaim> SrpClaimOf(const Parameters& responses);

struct OpenedBlock {
  pb::SrpBlock block;
  // Taken out of it.
  Secret b;
  // As sent, still sealed: what the proof is over.
  Bytes octets;
};

// The block that the claim answers: of this client, not expired and not used, with a time near its own. Errors:
// kInvalidParameter for a time that is none, else kNotAuthorized.
AuthResult<OpenedBlock> OpenSrpBlock(const Context& context, const directory::pb::ClientRecord& client,
                                     const SrpClaim& claim);

// Whether the claim was made by whoever has the secret of `verifier`. `group`: what the verifier was made for beside
// block.user_id (crypto::SrpIdentity::pool_name).
bool ProofIsRight(const Context& context, const OpenedBlock& opened, std::string_view group,
                  const directory::pb::PasswordVerifier& verifier, const SrpClaim& claim);

// "Tue Nov 3 09:05:07 UTC 2026", as clients write it: English names in either case, numbers with or without leading
// zeros, more than one space, GMT for UTC. The name of the day is not compared with the date.
std::optional<Timestamp> ParseClaimTimestamp(std::string_view text);

}  // namespace symbolon::auth
