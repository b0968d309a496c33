// What a request would do to which key: for policies, which allow it, and for the audit, which records it.
#pragma once

#include <string>
#include <vector>

#include "keys/local/key_facts.h"
#include "kms_api/call.h"

namespace symbolon::kms_api {

struct KeyUse {
  // As policies name it, without "kms:": the operation's name, except ReEncryptFrom and ReEncryptTo.
  std::string action;
  // An ARN of a key or an alias; "*" for operations that concern none.
  std::string resource;
  // nullptr: there is no such key here (the handler will say so), or the operation concerns none.
  keys::local::KeyFactsPointer key = nullptr;
  // The alias name by which the request named the key; empty: by none.
  std::string alias = {};
  // Not null for cryptographic operations. Lives as long as the request.
  const keys::EncryptionContext* context = nullptr;
};

// In the order in which the actions have to be allowed; never empty. Decides nothing and refuses nothing.
std::vector<KeyUse> KeyUsesOf(Call& call, const model::OperationFacts& operation, const wire::Request& request);

// The ARNs of the keys here that a request is about, however it names them, without repetition.
std::vector<std::string> KeyArnsOf(Call& call, const model::OperationFacts& operation, const wire::Request& request);

}  // namespace symbolon::kms_api
