#include "auth/test_user.h"

#include "auth/disabling.h"
#include "auth/signing_keys.h"
#include "base/secret.h"
#include "crypto/srp.h"

namespace symbolon::auth {

void MakeTestPool(TestRegion& region, crypto::SignatureAlgorithm algorithm) {
  region.pool.set_name("pool");
  region.pool.mutable_password_policy()->set_minimum_length(8);
  for (const char* name : {"email", "email_verified", "given_name", "updated_at", "address", "custom:tenant"}) {
    directory::pb::AttributeSchema& schema = *region.pool.add_schema();
    schema.set_name(name);
    schema.set_data_type("String");
    schema.set_mutable_(true);
  }

  region.Change([&](const Context& context) {
    directory::pb::PublicRecord published;
    PublishSigningKeys(context.tx, published, TestSigningKeys(algorithm), context.now());
    context.tx.Put<directory::PublicKind>("", published);

    directory::pb::ClientRecord client;
    client.set_client_id(std::string(kTestClient));
    for (const char* flow : {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH",
                             "ALLOW_REFRESH_TOKEN_AUTH"}) {
      client.add_explicit_auth_flows(flow);
    }
    client.set_enable_token_revocation(true);
    client.set_auth_session_validity_minutes(3);
    context.tx.Put<directory::ClientKind>(client.client_id(), client);

    directory::User user;
    user.key = directory::UserKeyOf(context.tx, context.pool, kTestUsername);
    user.record.set_username(std::string(kTestUsername));
    user.record.set_sub(std::string(kTestSub));
    user.record.set_status(directory::pb::CONFIRMED);
    user.record.set_enabled(true);
    (*user.record.mutable_attributes())["email"] = "alice@example.com";
    (*user.record.mutable_attributes())["email_verified"] = "true";
    const Bytes salt = crypto::NewSrpSalt(context.env.random());
    user.record.mutable_password()->set_salt(salt);
    const crypto::SrpIdentity identity{.pool_name = PoolName(context.tx.pool()), .user_id = kTestUsername};
    user.record.mutable_password()->set_verifier(
        Bytes(crypto::ComputeSrpVerifier(identity, kTestPassword, salt).view()));
    EXPECT_TRUE(directory::InsertUser(context.tx, context.pool, user, directory::OnAliasConflict::kRefuse));
  });
}

directory::pb::ClientRecord TestClient(TestRegion& region) {
  return region.See([](const Context& context) { return *context.tx.Get<directory::ClientKind>(kTestClient); });
}

void ChangeClient(TestRegion& region, const std::function<void(directory::pb::ClientRecord&)>& change) {
  region.Change([&](const Context& context) {
    auto client = *context.tx.Get<directory::ClientKind>(kTestClient);
    change(client);
    context.tx.Put<directory::ClientKind>(kTestClient, client);
  });
}

directory::User TestUser(TestRegion& region) {
  return region.See([](const Context& context) {
    return *directory::GetUser(context.tx, directory::UserKeyOf(context.tx, context.pool, kTestUsername));
  });
}

void ChangeUser(TestRegion& region, const std::function<void(directory::pb::UserRecord&)>& change) {
  region.Change([&](const Context& context) {
    directory::User user = *directory::FindUser(context.tx, context.pool, kTestUsername);
    const directory::pb::UserRecord before = user.record;
    change(user.record);
    EXPECT_TRUE(directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse));
  });
}

void DisableTestUser(TestRegion& region) {
  region.Change([](const Context& context) {
    const directory::User user = *directory::FindUser(context.tx, context.pool, kTestUsername);
    DisableUser(context.tx, context.region(), user.key, user.record, context.now());
  });
}

void EnableTestUser(TestRegion& region) {
  region.Change([](const Context& context) {
    EnableUser(context.tx, directory::FindUser(context.tx, context.pool, kTestUsername)->record, context.now());
  });
}

directory::pb::PublicRecord TestPublicRecord(TestRegion& region) {
  return region.See([](const Context& context) { return *context.tx.Get<directory::PublicKind>(""); });
}

}  // namespace symbolon::auth
