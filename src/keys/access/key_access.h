// Who may use a local key: its key policy, its grants, and the identity policies of users ("Key policies in AWS KMS",
// "Grants in AWS KMS").
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "keys/local/key_facts.h"
#include "keys/provider.h"
#include "policy/identity.h"
#include "policy/vocabulary.h"

namespace symbolon::keys::access {

// Adds what conditions may ask of an encryption context.
void AddEncryptionContext(policy::Context& context, const EncryptionContext& encryption_context);

struct Question {
  const policy::Identity& identity;
  // "kms:Decrypt"
  std::string_view action;
  // All that is known, the encryption context included.
  const policy::Context& context;
  // Of cryptographic operations; grants are constrained by it.
  const EncryptionContext* encryption_context = nullptr;
  // Of CreateGrant: what would be granted. Who may make grants by a grant only, hands on no more than they have.
  const local::Grant* new_grant = nullptr;
  // A grant allows it, whatever the grants themselves say.
  bool granted = false;
};

// Whether a grant is to this principal.
bool IsGrantee(const local::Grant& grant, const policy::Principal& principal);
// Whether a grant allows it.
bool Grants(const local::Grant& grant, const Question& question);

// Thread-safe. Policies are parsed once.
class KeyAccess {
 public:
  // `vocabulary` outlives this.
  explicit KeyAccess(const policy::Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  policy::Outcome Decide(const local::KeyFacts& key, const Question& question);

  // Of a policy that is to be set. Errors are for its author.
  policy::PolicyResult<policy::Document> Parse(std::string_view policy) const {
    return policy::Document::Parse(policy, policy::DocumentKind::kResource, vocabulary_);
  }

 private:
  struct Parsed {
    std::shared_ptr<const std::string> text;
    std::shared_ptr<const policy::Document> document;
  };
  // nullptr: what is stored is not understood here; nobody is allowed anything.
  std::shared_ptr<const policy::Document> PolicyOf(const local::KeyFacts& key);

  const policy::Vocabulary& vocabulary_;
  std::mutex mutex_;
  // By key id. Guarded by mutex_.
  std::map<std::string, Parsed, std::less<>> parsed_;
};

}  // namespace symbolon::keys::access
