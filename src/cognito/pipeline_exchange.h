// What the pipeline knows of a request on its way. Private to the pipeline's sources.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "cognito/pipeline.h"
#include "model/cognito_operations.h"
#include "model/own_operations.h"

namespace symbolon::cognito {

// One request on its way.
struct Pipeline::Exchange {
  http::Request http;
  // At the Region that the client asked, on its clock.
  Timestamp arrived{};
  const model::OperationFacts* operation = nullptr;
  std::optional<wire::Request> request;
  std::size_t unknown_members = 0;
  Caller caller;
  // Of a request that was signed.
  std::optional<policy::Caller> signer;
  // The access token that came with the request, of which `request` holds the text.
  std::optional<auth::AccessTokenVerifier::Presented> token;
  // Empty for operations that concern no single pool.
  PoolId pool;
  // Of a call that is audited: the pool's CMK in the Region that it is about, when the call came; of a call of the key
  // service, the keys that it is about.
  std::string pool_key_arn;
  std::vector<std::string> key_arns;
  Preparation preparation;
  std::shared_ptr<const keys::PoolKeys> new_pool_keys;
  // Of the write.
  std::optional<storage::pb::Position> position;
  bool fell_back = false;
  // A change of the directory has waited at the write gate.
  bool waited = false;

  // It is the primary's to do, and this Region is not the primary.
  struct Elsewhere {
    Region primary;
    replication::Role here;
  };
  std::optional<Elsewhere> elsewhere;
  // The primary's answer, after it was passed on.
  std::optional<http::Response> passed_on;

  // Who passed it on to here, as about which pool.
  struct Sender {
    Region region;
    PoolId pool;
  };
  std::optional<Sender> from;
  // Nothing was done, and the sender is told so instead of the client.
  std::optional<replication::ControlError> misdirected;
};

// One attempt at its plan.
struct Pipeline::Attempt {
  std::shared_ptr<const storage::Snapshot> snapshot;
  std::optional<directory::Transaction> tx;
  // Of the pool; null if there is none.
  std::shared_ptr<const replication::pb::RoleRecord> role;
  // The pool is not here any more, and what is asked for is.
  bool is_gone = false;
  std::optional<Call> call;

  // Before something is waited for: the pool's keys, and what they opened, are held for moments only.
  void LetGo() {
    call.reset();
    tx.reset();
    snapshot.reset();
  }
};

template <class Operation>
bool Is(const model::OperationFacts& facts, Operation operation) {
  using model::Service;
  constexpr Service service = std::is_same_v<Operation, model::cognito::Operation> ? Service::kCognito : Service::kOwn;
  return facts.service == service && facts.index == static_cast<std::uint16_t>(operation);
}

inline model::ApiError Internal() { return {model::ErrorCode::kInternalErrorException, "Something went wrong."}; }

// What clients hear when a pool's keys cannot be had.
model::ApiError Translate(const keys::KeyServiceError& error);

// Clients try again after this.
inline tl::unexpected<model::ApiError> PrimaryChanges() {
  return model::Fail(model::ErrorCode::kServiceUnavailableException, "The user pool's primary Region is changing.");
}

}  // namespace symbolon::cognito
