// For tests: one primary Region with one pool in a store in memory, whose operations run as the pipeline runs them,
// commit and all, without HTTP, tokens and signatures.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "cognito/call.h"
#include "model/cognito_handlers.h"
#include "storage/local_store.h"

namespace symbolon::cognito {

inline constexpr const char* kTestClient = "client1client1client1clien";
inline constexpr const char* kTestPassword = "Correct-Horse-9";

// The tests' words for attributes.
std::vector<model::cognito::AttributeType> Attributes(
    std::initializer_list<std::pair<const char*, const char*>> attributes);
std::optional<std::string> Find(const std::optional<std::vector<model::cognito::AttributeType>>& attributes,
                                std::string_view name);

class OperationsTest : public testing::Test {
 protected:
  // A pool with the standard schema and the default policy, and kTestClient without a secret.
  OperationsTest();

  void ChangePool(const std::function<void(directory::pb::PoolRecord&)>& change);
  void ChangeClient(const std::function<void(directory::pb::ClientRecord&)>& change);
  // Operations that take an access token run as this user, through kTestClient.
  void SignInAs(std::string name) { signed_in_ = std::move(name); }

  template <class Response, class Request>
  model::ApiResult<Response> Run(model::ApiResult<Response> (*operation)(Call&, const Request&),
                                 const Request& request) {
    std::optional<model::ApiResult<Response>> answer;
    RunPlan([&](Call& call) {
      answer = operation(call, request);
      return answer->has_value();
    });
    return *std::move(answer);
  }
  // "" for success, else "UserNotFoundException: User does not exist.".
  template <class Response, class Request>
  std::string ErrorOf(model::ApiResult<Response> (*operation)(Call&, const Request&), const Request& request) {
    const auto answer = Run(operation, request);
    if (answer) return "";
    return std::string(model::ToString(answer.error().code)) + ": " + answer.error().message;
  }
  // An answer without changes, out of a transaction.
  template <class Look>
  auto See(const Look& look) {
    directory::Transaction tx(store_->MakeSnapshot(), pool_id_, keys_, random_);
    return look(tx);
  }
  void Change(const std::function<void(directory::Transaction&)>& change);

  // As stored; the user must exist.
  directory::pb::UserRecord UserNamed(std::string_view name);
  bool Exists(std::string_view name);
  bool HasPassword(std::string_view name, std::string_view password);

  // Everything sent so far, oldest first.
  std::vector<directory::pb::OutboxRecord> Outbox();
  // The newest message's.
  std::string LastCode();
  // A code that is not the newest.
  std::string WrongCode();

  // A confirmed user with kTestPassword, made by an administrator.
  void MakeUser(const std::string& name, std::vector<model::cognito::AttributeType> attributes = {});

  // What Region the operations run in; can_deliver at first.
  directory::RegionSettings region_;
  ManualClock clock_{FromSeconds(1'800'000'600)};
  SeededRandom random_{1};
  const PoolId pool_id_{"eu-central-1_TestPool1"};
  std::unique_ptr<storage::LocalStore> store_;
  std::shared_ptr<const keys::PoolKeys> keys_;
  auth::TokenSigner signer_;
  // Changes that the last operation committed, of any kind, unless nobody waits for them.
  std::size_t last_changes_ = 0;

 private:
  void RunPlan(const std::function<bool(Call&)>& plan);
  void Commit(directory::Transaction& tx);
  directory::pb::PoolRecord Pool();

  std::optional<std::string> signed_in_;
};

}  // namespace symbolon::cognito
