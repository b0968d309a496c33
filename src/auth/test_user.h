// For tests: a pool with one confirmed user and one client, ready to sign in.
#pragma once

#include <string>

#include "auth/test_region.h"

namespace symbolon::auth {

inline constexpr std::string_view kTestClient = "client1client1client1clien";
inline constexpr std::string_view kTestUsername = "alice";
inline constexpr std::string_view kTestSub = "04c894d8-20e1-40ed-975e-9a01d11f7f45";
inline constexpr std::string_view kTestPassword = "Correct horse 9!";

// Stores the pool's record, keys, `kTestClient` (every flow of passwords and refresh, no secret) and `kTestUsername`.
void MakeTestPool(TestRegion& region, crypto::SignatureAlgorithm algorithm = crypto::SignatureAlgorithm::kEs256);

directory::pb::ClientRecord TestClient(TestRegion& region);
void ChangeClient(TestRegion& region, const std::function<void(directory::pb::ClientRecord&)>& change);

directory::User TestUser(TestRegion& region);
void ChangeUser(TestRegion& region, const std::function<void(directory::pb::UserRecord&)>& change);

// By an administrator, in this Region.
void DisableTestUser(TestRegion& region);
void EnableTestUser(TestRegion& region);

directory::pb::PublicRecord TestPublicRecord(TestRegion& region);

}  // namespace symbolon::auth
