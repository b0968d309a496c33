#include "cognito/test_operations.h"

#include <algorithm>

#include "auth/password.h"
#include "auth/signing_keys.h"
#include "cognito/pool_settings.h"
#include "directory/users.h"
#include "keys/opened_pool_keys.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::cognito {

namespace pb = directory::pb;
using model::cognito::AttributeType;

std::vector<AttributeType> Attributes(std::initializer_list<std::pair<const char*, const char*>> attributes) {
  std::vector<AttributeType> list;
  for (const auto& [name, value] : attributes) list.push_back({.Name = name, .Value = value});
  return list;
}

std::optional<std::string> Find(const std::optional<std::vector<AttributeType>>& attributes, std::string_view name) {
  if (!attributes) return std::nullopt;
  const auto found = std::ranges::find(*attributes, name, &AttributeType::Name);
  return found == attributes->end() ? std::nullopt : found->Value;
}

OperationsTest::OperationsTest() {
  region_.region = Region("eu-central-1");
  region_.account = "000000000000";
  region_.public_urls = {{region_.region, "http://eu-central-1.test"}};
  region_.can_deliver = true;
  auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(),
                                         {.region = region_.region, .clock = &clock_, .random = &random_});
  SYMBOLON_CHECK(store.has_value());
  store_ = *std::move(store);

  keys::internal::OpenedPoolKeys::Material material;
  material.sealing_generation = random_.Octets(keys::internal::kGenerationBytes);
  material.data_keys.emplace(material.sealing_generation, Secret(random_.Octets(32)));
  material.index_key = Secret(random_.Octets(32));
  material.identity_key = Secret(random_.Octets(32));
  material.token_key = Secret(random_.Octets(32));
  keys_ = std::make_shared<keys::internal::OpenedPoolKeys>(pool_id_, region_.region, material);

  Change([&](directory::Transaction& tx) {
    tx.StartEpoch(1);
    pb::PoolRecord pool;
    model::cognito::CreateUserPoolRequest request;
    request.PoolName = "test";
    SYMBOLON_CHECK(ApplySettings(pool, request).has_value());
    tx.Put<directory::PoolKind>("", pool);
    pb::ClientRecord client;
    client.set_client_id(kTestClient);
    tx.Put<directory::ClientKind>(kTestClient, client);
    const std::vector signing_keys = {crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256),
                                      crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256)};
    pb::PublicRecord published;
    auth::PublishSigningKeys(tx, published, signing_keys, clock_.Now());
    tx.Put<directory::PublicKind>("", published);
  });
}

void OperationsTest::ChangePool(const std::function<void(pb::PoolRecord&)>& change) {
  Change([&](directory::Transaction& tx) {
    pb::PoolRecord pool = *tx.Get<directory::PoolKind>("");
    change(pool);
    tx.Put<directory::PoolKind>("", pool);
  });
}

void OperationsTest::ChangeClient(const std::function<void(pb::ClientRecord&)>& change) {
  Change([&](directory::Transaction& tx) {
    pb::ClientRecord client = *tx.Get<directory::ClientKind>(kTestClient);
    change(client);
    tx.Put<directory::ClientKind>(kTestClient, client);
  });
}

void OperationsTest::Change(const std::function<void(directory::Transaction&)>& change) {
  directory::Transaction tx(store_->MakeSnapshot(), pool_id_, keys_, random_);
  change(tx);
  Commit(tx);
}

void OperationsTest::Commit(directory::Transaction& tx) {
  ASSERT_FALSE(tx.failure()) << tx.failure()->detail;
  last_changes_ = 0;
  const bool is_waited_for = tx.has_changes();
  if (!is_waited_for && !tx.has_notes()) return;
  storage::Commit commit = tx.TakeCommit();
  if (is_waited_for) last_changes_ = commit.directory.size() + commit.regional.size() + commit.facts.size();
  bool committed = false;
  store_->Submit(std::move(commit), [&](auto result) { committed = result.has_value(); });
  while (store_->Step()) {
  }
  ASSERT_TRUE(committed);
}

pb::PoolRecord OperationsTest::Pool() {
  return See([](directory::Transaction& tx) { return *tx.Get<directory::PoolKind>(""); });
}

void OperationsTest::RunPlan(const std::function<bool(Call&)>& plan) {
  // Time passes between requests, so that what they make can be told apart by it.
  clock_.Advance(std::chrono::milliseconds(1));
  directory::Env env(clock_.Now(), random_, region_);
  directory::Transaction tx(store_->MakeSnapshot(), pool_id_, keys_, random_);
  Call call(tx, env);
  call.signer_ = &signer_;
  call.pool_ = tx.Share<directory::PoolKind>("");
  if (signed_in_) {
    if (const auto user = directory::FindUser(tx, *call.pool_, *signed_in_))
      call.caller_.user =
          Caller::SignedInUser{.user = *directory::ShareUser(tx, user->key), .client = ClientId(kTestClient)};
  }
  const bool succeeded = plan(call);
  ASSERT_FALSE(tx.failure()) << tx.failure()->detail;
  last_changes_ = 0;
  if (succeeded || call.commit_despite_error_) Commit(tx);
}

pb::UserRecord OperationsTest::UserNamed(std::string_view name) {
  const auto user = See([&](directory::Transaction& tx) { return directory::FindUser(tx, Pool(), name); });
  EXPECT_TRUE(user) << name;
  return user ? user->record : pb::UserRecord();
}

bool OperationsTest::Exists(std::string_view name) {
  return See([&](directory::Transaction& tx) { return directory::FindUser(tx, Pool(), name).has_value(); });
}

bool OperationsTest::HasPassword(std::string_view name, std::string_view password) {
  const pb::UserRecord user = UserNamed(name);
  return auth::PasswordMatches(pool_id_, &user, password);
}

std::vector<pb::OutboxRecord> OperationsTest::Outbox() {
  return See([](directory::Transaction& tx) {
    std::vector<pb::OutboxRecord> messages;
    for (auto& row : tx.Scan<directory::OutboxKind>("", std::nullopt, 1'000).rows) messages.push_back(row.record);
    return messages;
  });
}

std::string OperationsTest::LastCode() {
  const auto messages = Outbox();
  EXPECT_FALSE(messages.empty());
  return messages.empty() ? "" : messages.back().code();
}

std::string OperationsTest::WrongCode() {
  std::string code = LastCode();
  if (!code.empty()) code[0] = code[0] == '0' ? '1' : '0';
  return code;
}

void OperationsTest::MakeUser(const std::string& name, std::vector<AttributeType> attributes) {
  ASSERT_EQ(
      ErrorOf(operations::AdminCreateUser,
              model::cognito::AdminCreateUserRequest{.Username = name,
                                                     .UserAttributes = std::move(attributes),
                                                     .MessageAction = model::cognito::MessageActionType::kSuppress}),
      "");
  ASSERT_EQ(ErrorOf(operations::AdminSetUserPassword,
                    model::cognito::AdminSetUserPasswordRequest{
                        .Username = name, .Password = kTestPassword, .Permanent = true}),
            "");
}

}  // namespace symbolon::cognito
