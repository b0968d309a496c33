#include "auth/secret_hash.h"

#include <gtest/gtest.h>

namespace symbolon::auth {
namespace {

directory::pb::ClientRecord ClientWith(std::initializer_list<const char*> secrets) {
  directory::pb::ClientRecord client;
  client.set_client_id("1example23456789");
  for (const char* secret : secrets) client.add_secrets(secret);
  return client;
}

// Computed with Python's hmac module.
constexpr std::string_view kHash = "rH9zrsw0u/Ck8/CAfA1Qevo2gMvl16vK+zC9ug1U8M8=";

TEST(SecretHash, IsBase64OfHmacOverUserNameAndClientId) {
  EXPECT_EQ(SecretHashOf("secret-of-the-client", "alice", "1example23456789"), kHash);
}

TEST(SecretHash, AnyActiveSecretWillDo) {
  EXPECT_TRUE(CheckSecretHash(ClientWith({"secret-of-the-client"}), kHash, "alice"));
  EXPECT_TRUE(CheckSecretHash(ClientWith({"other", "secret-of-the-client"}), kHash, "alice"));
  EXPECT_TRUE(CheckSecretHash(ClientWith({"secret-of-the-client", "other"}), kHash, "alice"));
}

TEST(SecretHash, ClientWithoutSecretNeedsNone) {
  EXPECT_TRUE(CheckSecretHash(ClientWith({}), std::nullopt, "alice"));
  EXPECT_EQ(CheckSecretHash(ClientWith({}), kHash, "alice").error(), SecretHashError::kWrong);
}

TEST(SecretHash, MissingAndWrongOnesAreRefused) {
  const auto client = ClientWith({"secret-of-the-client"});
  EXPECT_EQ(CheckSecretHash(client, std::nullopt, "alice").error(), SecretHashError::kMissing);
  EXPECT_EQ(CheckSecretHash(client, kHash, "bob").error(), SecretHashError::kWrong);
  EXPECT_EQ(CheckSecretHash(client, "", "alice").error(), SecretHashError::kWrong);
  EXPECT_EQ(CheckSecretHash(client, kHash.substr(0, 20), "alice").error(), SecretHashError::kWrong);
  EXPECT_EQ(CheckSecretHash(ClientWith({"another secret"}), kHash, "alice").error(), SecretHashError::kWrong);
}

TEST(SecretHash, MessagesNameTheClient) {
  EXPECT_EQ(MessageOf(SecretHashError::kWrong, "abc"), "Unable to verify secret hash for client abc");
  EXPECT_EQ(MessageOf(SecretHashError::kMissing, "abc"),
            "Client abc is configured with secret but SECRET_HASH was not received");
}

}  // namespace
}  // namespace symbolon::auth
