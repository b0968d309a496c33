#include "auth/test_region.h"

namespace symbolon::auth {

const std::vector<crypto::SigningKey>& TestSigningKeys(crypto::SignatureAlgorithm algorithm) {
  const auto make = [](crypto::SignatureAlgorithm kind) {
    return std::vector{crypto::SigningKey::Generate(kind), crypto::SigningKey::Generate(kind)};
  };
  static const auto es256 = make(crypto::SignatureAlgorithm::kEs256);
  if (algorithm == crypto::SignatureAlgorithm::kEs256) return es256;
  static const auto rs256 = make(crypto::SignatureAlgorithm::kRs256);
  return rs256;
}

TestRegion::TestRegion(std::string_view name, const TestPool& test_pool, ManualClock& clock)
    : pool_id_(test_pool.id), clock_(clock), store_(name, clock, std::hash<PoolId>()(test_pool.id)) {
  settings_.region = Region(std::string(name));
  settings_.account = "000000000000";
  settings_.public_urls = {{Region("eu-central-1"), "http://127.0.0.1:9410"},
                           {Region("us-east-1"), "http://127.0.0.1:9420"}};
  settings_.neutral_url = "http://127.0.0.1:9400";
}

void TestRegion::Change(const std::function<void(const Context&)>& plan) {
  (void)Run<bool>([&](const Context& context) -> AuthResult<bool> {
    plan(context);
    return true;
  });
}

bool TestRegion::Commit(directory::Transaction& tx) {
  last_wrote_ = tx.has_changes();
  if (!last_wrote_ && !tx.has_notes()) return true;
  EXPECT_TRUE(is_primary || !tx.changes_directory()) << "a secondary wrote the directory";
  const auto committed = store_.Commit(tx);
  EXPECT_TRUE(committed || committed.error().code == storage::StoreErrorCode::kConflict) << committed.error().detail;
  return committed.has_value();
}

void TestRegion::CopyDirectoryOf(TestRegion& other) {
  store_.CopyDirectory(other.store_, pool_id_);
  pool = other.pool;
}

}  // namespace symbolon::auth
