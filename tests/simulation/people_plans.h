// What the plans that people run have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/context.h"
#include "auth/error.h"
#include "directory/record_types.h"

namespace symbolon::simulation {

// What a plan answers, kept until its commit is.
template <class T>
using Answer = std::shared_ptr<std::optional<auth::AuthResult<T>>>;

template <class T>
Answer<T> MakeAnswer() {
  return std::make_shared<std::optional<auth::AuthResult<T>>>();
}

// Whether the changes of a plan that answered so are committed.
template <class T>
bool Commits(const auth::AuthResult<T>& answer) {
  return answer || answer.error().keep_changes;
}

inline directory::pb::ClientRecord ClientOf(const auth::Context& context, const std::string& id) {
  return *context.tx.Get<directory::ClientKind>(id);
}

// The identity provider whom every pool trusts (people_federated.cc).
void PutProvider(directory::Transaction& tx);

}  // namespace symbolon::simulation
