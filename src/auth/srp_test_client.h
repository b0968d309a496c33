// For tests: the client's side of USER_SRP_AUTH, written from the protocol's text with OpenSSL's own prime.
#pragma once

#include <string>
#include <string_view>

#include "auth/clients.h"

namespace symbolon::auth {

struct SrpTestClient {
  std::string pool_name;
  std::string password;
  // Any number above zero; clients draw 1,024 bits.
  std::string a_hex = "c11d9b69b0ed815304cec4c9b24edbb8207a4c4ddcc26227655f8dd21e73650f";

  // SRP_A.
  std::string PublicKeyHex() const;
  // The ChallengeResponses to a PASSWORD_VERIFIER challenge.
  Parameters Answer(const Parameters& challenge, std::string_view timestamp) const;
};

}  // namespace symbolon::auth
