#include "auth/test_region.h"

#include "crypto/hash.h"
#include "crypto/xaes.h"
#include "storage/log.h"

namespace symbolon::auth {
namespace {

class TestKeys final : public keys::PoolKeys {
 public:
  explicit TestKeys(PoolId pool) : pool_(std::move(pool)), key_(crypto::Sha256("sealing key of " + pool_.value())) {}

  const PoolId& pool() const override { return pool_; }

  Bytes Seal(const storage::Key& key, BytesView plaintext, Random& random) const override {
    return key_.Seal(random, PlaceOf(key), plaintext);
  }
  keys::OpenResult<Bytes> Open(const storage::Key& key, BytesView sealed) const override {
    return OpenWith(PlaceOf(key), sealed);
  }
  Bytes SealToken(keys::TokenPurpose purpose, std::string_view audience, BytesView plaintext,
                  Random& random) const override {
    return key_.Seal(random, PlaceOf(purpose, audience), plaintext);
  }
  keys::OpenResult<Bytes> OpenToken(keys::TokenPurpose purpose, std::string_view audience,
                                    BytesView sealed) const override {
    return OpenWith(PlaceOf(purpose, audience), sealed);
  }
  Bytes BlindIndex(std::string_view label, BytesView value) const override {
    return crypto::HmacSha256(pool_.value(), {"index", label, ":", value});
  }
  Bytes Derive(std::string_view label, BytesView value) const override {
    return crypto::HmacSha256(pool_.value(), {"identity", label, ":", value});
  }

 private:
  static Bytes PlaceOf(const storage::Key& key) {
    return Bytes(1, static_cast<char>(key.space)) + key.pool.value() + ":" + std::to_string(key.type) + ":" + key.id;
  }
  Bytes PlaceOf(keys::TokenPurpose purpose, std::string_view audience) const {
    return Bytes(1, static_cast<char>(purpose)) + pool_.value() + ":" + Bytes(audience);
  }
  keys::OpenResult<Bytes> OpenWith(BytesView place, BytesView sealed) const {
    auto opened = key_.Open(place, sealed);
    if (!opened) return Err(keys::OpenError{.code = keys::OpenErrorCode::kInvalid, .detail = "test"});
    return Bytes(opened->view());
  }

  PoolId pool_;
  crypto::XaesKey key_;
};

}  // namespace

class TestRegion::Snapshot final : public storage::Snapshot {
 public:
  Snapshot(Cells cells, std::uint64_t version) : cells_(std::move(cells)), version_(version) {}

  storage::StoreResult<std::optional<Bytes>> Get(const storage::Key& key) const override {
    const auto found = cells_.find(key);
    return found == cells_.end() ? std::nullopt : found->second.value;
  }
  storage::StoreResult<storage::Page> Scan(const storage::KeyRange& range, const std::optional<Bytes>& after,
                                           std::size_t limit) const override {
    storage::Page page;
    for (const auto& [key, cell] : cells_) {
      if (key.space != range.space || key.pool != range.pool || key.type != range.type || !cell.value) continue;
      if (!key.id.starts_with(range.id_prefix) || (after && key.id <= *after)) continue;
      if (page.records.size() == limit) {
        page.next = page.records.back().id;
        break;
      }
      page.records.push_back({.id = key.id, .value = *cell.value});
    }
    return page;
  }
  storage::StoreResult<std::optional<storage::pb::Head>> Head(const PoolId&) const override { return std::nullopt; }
  storage::StoreResult<storage::pb::History> History(const PoolId&) const override { return storage::pb::History(); }
  storage::StoreResult<std::vector<PoolId>> Pools(const std::optional<PoolId>&, std::size_t) const override {
    return std::vector<PoolId>();
  }
  storage::StoreResult<storage::pb::FactVector> Facts(const PoolId&) const override {
    return storage::pb::FactVector();
  }
  std::uint64_t version() const override { return version_; }

 private:
  Cells cells_;
  std::uint64_t version_;
};

Bytes SeededRandom::Octets(std::size_t count) {
  Bytes octets;
  while (octets.size() < count) octets += crypto::Sha256(seed_ + ":" + std::to_string(block_++));
  octets.resize(count);
  return octets;
}

TestPool::TestPool(std::string_view name) : id(std::string(name)), keys(std::make_shared<TestKeys>(id)) {}

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
    : pool_id_(test_pool.id), keys_(test_pool.keys), clock_(clock), random_(std::string(name) + test_pool.id.value()) {
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

std::unique_ptr<directory::Transaction> TestRegion::Begin() {
  return std::make_unique<directory::Transaction>(std::make_shared<Snapshot>(cells_, version_), pool_id_, keys_,
                                                  random_);
}

bool TestRegion::Commit(directory::Transaction& tx) {
  last_wrote_ = tx.has_changes();
  if (!last_wrote_) return true;
  EXPECT_TRUE(is_primary || !tx.changes_directory()) << "a secondary wrote the directory";
  storage::Commit commit = tx.TakeCommit();
  for (const storage::Key& key : commit.reads) {
    if (const auto cell = cells_.find(key); cell != cells_.end() && cell->second.version > commit.snapshot_version) {
      return false;
    }
  }
  ++version_;
  for (auto* changes : {&commit.directory, &commit.regional}) {
    for (storage::Change& change : *changes) cells_[change.key] = {std::move(change.value), version_};
  }
  for (const storage::FactChange& fact : commit.facts) {
    Cell& cell = cells_[fact.key];
    storage::pb::FactValue merged;
    if (cell.value) EXPECT_TRUE(merged.ParseFromString(*cell.value));
    storage::JoinFact(merged, fact.value);
    cell = {merged.SerializeAsString(), version_};
  }
  return true;
}

void TestRegion::MergeFactsOf(const TestRegion& other) {
  ++version_;
  for (const auto& [key, theirs] : other.cells_) {
    if (key.space != storage::Space::kFact) continue;
    Cell& mine = cells_[key];
    storage::pb::FactValue merged, value;
    if (mine.value) EXPECT_TRUE(merged.ParseFromString(*mine.value));
    EXPECT_TRUE(value.ParseFromString(*theirs.value));
    storage::JoinFact(merged, value);
    mine = {merged.SerializeAsString(), version_};
  }
}

void TestRegion::CopyDirectoryOf(const TestRegion& other) {
  ++version_;
  std::erase_if(cells_, [](const auto& cell) { return cell.first.space == storage::Space::kDirectory; });
  for (const auto& [key, cell] : other.cells_) {
    if (key.space == storage::Space::kDirectory) cells_[key] = {cell.value, version_};
  }
  pool = other.pool;
}

}  // namespace symbolon::auth
