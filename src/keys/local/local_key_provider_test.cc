#include "keys/local/local_key_provider.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "keys/arn.h"
#include "keys/local/test_support.h"
#include "keys/provider_contract_test.h"

namespace symbolon::keys::local {
namespace {

namespace fs = std::filesystem;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");

TestClock clock_of_tests;

LocalKeyResult<std::unique_ptr<LocalKeyProvider>> OpenIn(const fs::path& directory, const Region& region = kHere) {
  return OpenTestProvider(directory, region, clock_of_tests);
}

Bytes ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

void WriteFile(const fs::path& path, BytesView content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

class LocalHarness final : public KeyProviderHarness {
 public:
  LocalHarness() { Restart(); }
  KeyProvider& provider() override { return *provider_; }
  std::string MakeKey() override { return provider_->CreateKey(true, "").value().arn; }
  void Disable(const std::string& arn) override { ASSERT_TRUE(provider_->DisableKey(arn)); }
  void Enable(const std::string& arn) override { ASSERT_TRUE(provider_->EnableKey(arn)); }
  void Restart() override {
    provider_.reset();
    provider_ = OpenIn(directory_.path()).value();
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<LocalKeyProvider> provider_;
};

// Providers of several Regions, joined without a network.
class DirectTransport final : public KeyReplicationTransport {
 public:
  std::map<Region, LocalKeyProvider*> regions;
  std::optional<LocalKeyError> import_fails_after;  // the target took it, the answer is lost
  Bytes (*alter)(Bytes) = [](Bytes sealed) { return sealed; };
  std::vector<ReplicaKey> sent;

  LocalKeyResult<Bytes> TransportPublicKey(const Region& target) override {
    if (!regions.contains(target)) return Err(LocalKeyError{LocalKeyErrorCode::kUnknownRegion, target.value()});
    return regions[target]->TransportPublicKey();
  }
  LocalKeyResult<void> ImportReplica(const Region& target, const ReplicaKey& key) override {
    sent.push_back(key);
    ReplicaKey arriving = key;
    arriving.sealed_material = alter(arriving.sealed_material);
    SYMBOLON_TRY_VOID(regions[target]->AcceptReplica(arriving));
    if (import_fails_after) return Err(*import_fails_after);
    return {};
  }
};

class LocalKeyProviderTest : public testing::Test {
 protected:
  LocalKeyProviderTest() { transport_.regions = {{kHere, here_.get()}, {kThere, there_.get()}}; }

  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ = OpenIn(directory_here_.path()).value();
  std::unique_ptr<LocalKeyProvider> there_ = OpenIn(directory_there_.path(), kThere).value();
  DirectTransport transport_;
};

TEST_F(LocalKeyProviderTest, NewKeysAreDescribedAndListedInPages) {
  const auto multi = here_->CreateKey(true, "for pools");
  ASSERT_TRUE(multi);
  EXPECT_EQ(multi->arn, "arn:aws:kms:eu-central-1:000000000000:key/" + multi->id);
  EXPECT_EQ(multi->id.size(), 36u);
  EXPECT_TRUE(multi->id.starts_with("mrk-"));
  EXPECT_EQ(multi->description, "for pools");
  EXPECT_EQ(multi->created, clock_of_tests.Now());
  EXPECT_EQ(multi->primary, kHere);
  const auto single = here_->CreateKey(false, "");
  ASSERT_TRUE(single);
  EXPECT_EQ(single->id.size(), 36u);
  EXPECT_FALSE(single->multi_region);
  ASSERT_TRUE(here_->CreateKey(false, ""));
  ASSERT_TRUE(here_->EnsureServiceOwnedKey());

  EXPECT_EQ(here_->Describe(multi->id)->arn, multi->arn);
  EXPECT_EQ(here_->Describe(multi->arn)->id, multi->id);

  std::vector<std::string> ids;
  std::optional<std::string> after;
  do {
    const auto page = here_->ListKeys(2, after);
    for (const auto& key : page.keys) ids.push_back(key.id);
    after = page.next;
  } while (after);
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_FALSE(here_->ListKeys(3, std::nullopt).next);
}

TEST_F(LocalKeyProviderTest, ServiceOwnedKeyIsOneAndHiddenFromCustomers) {
  const std::string arn = here_->EnsureServiceOwnedKey().value();
  EXPECT_EQ(here_->EnsureServiceOwnedKey().value(), arn);
  EXPECT_EQ(here_->Describe(arn).error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_EQ(here_->DisableKey(arn).error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_TRUE(here_->DescribeKey(arn)->service_owned);
  here_.reset();
  here_ = OpenIn(directory_here_.path()).value();
  EXPECT_EQ(here_->EnsureServiceOwnedKey().value(), arn);
}

TEST_F(LocalKeyProviderTest, ReplicaOpensWhatThePrimarySealedAndBothWays) {
  const auto key = here_->CreateKey(true, "primary").value();
  const auto replica = here_->ReplicateKey(key.arn, kThere, "replica", transport_);
  ASSERT_TRUE(replica);
  EXPECT_EQ(replica->arn, "arn:aws:kms:us-east-1:000000000000:key/" + key.id);
  EXPECT_EQ(replica->description, "replica");

  const EncryptionContext context = {{"a", "b"}};
  EXPECT_EQ(there_->Decrypt(replica->arn, context, here_->Encrypt(key.arn, context, "x").value())->view(), "x");
  EXPECT_EQ(here_->Decrypt(key.arn, context, there_->Encrypt(replica->arn, context, "y").value())->view(), "y");
  for (auto* provider : {here_.get(), there_.get()}) {
    const auto description = provider->Describe(key.id).value();
    EXPECT_EQ(description.primary, kHere);
    EXPECT_EQ(description.replicas, std::vector<Region>{kThere});
    EXPECT_TRUE(description.multi_region);
  }
  // Each Region disables for itself.
  ASSERT_TRUE(here_->DisableKey(key.id));
  EXPECT_EQ(there_->Describe(key.id)->state, KeyState::kEnabled);
}

TEST_F(LocalKeyProviderTest, ReplicationRefusals) {
  const auto single = here_->CreateKey(false, "").value();
  EXPECT_EQ(here_->ReplicateKey(single.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kUnsupported);
  const auto key = here_->CreateKey(true, "").value();
  EXPECT_EQ(here_->ReplicateKey("mrk-0", kThere, "", transport_).error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_EQ(here_->ReplicateKey(key.id, Region("mars-1"), "", transport_).error().code,
            LocalKeyErrorCode::kUnknownRegion);
  EXPECT_EQ(here_->ReplicateKey(key.id, kHere, "", transport_).error().code, LocalKeyErrorCode::kAlreadyExists);
  ASSERT_TRUE(here_->DisableKey(key.id));
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kDisabled);
  ASSERT_TRUE(here_->EnableKey(key.id));
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", transport_));
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kAlreadyExists);
  EXPECT_EQ(there_->ReplicateKey(key.id, kHere, "", transport_).error().code, LocalKeyErrorCode::kUnsupported);
}

TEST_F(LocalKeyProviderTest, ReplicationWhoseAnswerWasLostIsRepeated) {
  const auto key = here_->CreateKey(true, "").value();
  transport_.import_fails_after = LocalKeyError{LocalKeyErrorCode::kUnavailable, "cut"};
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kUnavailable);
  EXPECT_TRUE(here_->Describe(key.id)->replicas.empty());
  transport_.import_fails_after.reset();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", transport_));
  EXPECT_EQ(here_->Describe(key.id)->replicas, std::vector<Region>{kThere});
  EXPECT_EQ(there_->ListKeys(10, std::nullopt).keys.size(), 1u);
}

TEST_F(LocalKeyProviderTest, RegionThatLostItsDiskGetsTheReplicaAgain) {
  const auto key = here_->CreateKey(true, "").value();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", transport_));
  const Bytes wrapped = here_->Encrypt(key.arn, {}, "x").value();
  there_.reset();
  const TemporaryDirectory new_disk;
  there_ = OpenIn(new_disk.path(), kThere).value();
  transport_.regions[kThere] = there_.get();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", transport_));
  EXPECT_EQ(here_->Describe(key.id)->replicas, std::vector<Region>{kThere});
  EXPECT_EQ(there_->Decrypt(KeyArnInRegion(key.arn, kThere), {}, wrapped)->view(), "x");
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kAlreadyExists);
}

TEST_F(LocalKeyProviderTest, AlteredOrMisdirectedReplicaIsRefused) {
  const auto key = here_->CreateKey(true, "").value();
  transport_.alter = [](Bytes sealed) {
    sealed.back() ^= 1;
    return sealed;
  };
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kMalformed);

  ASSERT_EQ(transport_.sent.size(), 1u);
  const ReplicaKey good = transport_.sent[0];
  std::vector<ReplicaKey> wrong(8, good);
  wrong[0].key_id = "mrk-ffffffffffffffffffffffffffffffff";
  wrong[1].key_id = "x";
  wrong[2].primary = Region("eu-west-1");
  wrong[3].primary = kThere;
  wrong[4].replicas = {};
  wrong[5].material_version = 2;
  wrong[6].sealed_material = "";
  wrong[7].primary = Region();
  for (const ReplicaKey& replica : wrong) {
    EXPECT_EQ(there_->AcceptReplica(replica).error().code, LocalKeyErrorCode::kMalformed);
  }
  EXPECT_TRUE(there_->ListKeys(10, std::nullopt).keys.empty());
  EXPECT_TRUE(there_->AcceptReplica(good));
  // Sealed for the other Region.
  EXPECT_EQ(here_->AcceptReplica(good).error().code, LocalKeyErrorCode::kMalformed);
}

TEST_F(LocalKeyProviderTest, ListenerHearsOfChanges) {
  std::vector<std::string> heard;
  here_->SetChangeListener([&](const std::string& arn) { heard.push_back(arn); });
  const auto key = here_->CreateKey(true, "").value();
  ASSERT_TRUE(here_->DisableKey(key.id));
  ASSERT_TRUE(here_->DisableKey(key.id));
  ASSERT_TRUE(here_->EnableKey(key.id));
  EXPECT_EQ(heard, (std::vector<std::string>{key.arn, key.arn}));
}

TEST_F(LocalKeyProviderTest, EverythingOutlivesARestart) {
  const auto key = here_->CreateKey(true, "text").value();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", transport_));
  const Bytes transport_key = there_->TransportPublicKey();
  here_.reset();
  there_.reset();
  here_ = OpenIn(directory_here_.path()).value();
  there_ = OpenIn(directory_there_.path(), kThere).value();
  EXPECT_EQ(there_->TransportPublicKey(), transport_key);
  const auto description = here_->Describe(key.id).value();
  EXPECT_EQ(description.description, "text");
  EXPECT_EQ(description.created, key.created);
  EXPECT_EQ(description.replicas, std::vector<Region>{kThere});
  EXPECT_EQ(there_->Describe(key.id)->primary, kHere);
}

TEST_F(LocalKeyProviderTest, FilesAreForTheOwnerOnlyAndShowNoMaterial) {
  ASSERT_TRUE(here_->CreateKey(true, "a description"));
  for (const char* name : {"keys", "root.key"}) {
    struct stat status;
    ASSERT_EQ(::stat((directory_here_.path() / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
  EXPECT_EQ(ReadFile(directory_here_.path() / "keys").find("a description"), Bytes::npos);
  fs::permissions(directory_here_.path() / "root.key", fs::perms::others_read, fs::perm_options::add);
  here_.reset();
  EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find("chmod 600"), std::string::npos);
}

TEST_F(LocalKeyProviderTest, CrashBeforeTheRenameLeavesTheOldKeys) {
  const auto key = here_->CreateKey(true, "").value();
  here_.reset();
  const Bytes whole = ReadFile(directory_here_.path() / "keys");
  for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size()}) {
    WriteFile(directory_here_.path() / "keys.tmp", BytesView(whole).substr(0, size));
    here_ = OpenIn(directory_here_.path()).value();
    EXPECT_TRUE(here_->Describe(key.id));
    EXPECT_TRUE(here_->CreateKey(false, ""));
    here_.reset();
  }
}

TEST_F(LocalKeyProviderTest, DamagedFileIsRefusedWithItsName) {
  ASSERT_TRUE(here_->CreateKey(true, ""));
  here_.reset();
  const fs::path file = directory_here_.path() / "keys";
  const Bytes whole = ReadFile(file);
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    Bytes altered = whole;
    altered[i] ^= 1;
    WriteFile(file, altered);
    EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find(file.string()), std::string::npos) << i;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, whole.size() - 1}) {
    WriteFile(file, BytesView(whole).substr(0, size));
    EXPECT_FALSE(OpenIn(directory_here_.path()));
  }
  WriteFile(file, whole);
  EXPECT_TRUE(OpenIn(directory_here_.path()));
}

TEST_F(LocalKeyProviderTest, WrongOrMissingRootKeyIsSaidPlainly) {
  ASSERT_TRUE(here_->CreateKey(true, ""));
  here_.reset();
  const fs::path root = directory_here_.path() / "root.key";
  const Bytes right = ReadFile(root);
  EXPECT_EQ(right.size(), 65u);

  WriteFile(root, std::string(64, 'a') + "\n");
  EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find("another root key file"), std::string::npos);
  WriteFile(root, "short");
  EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find("64 hexadecimal digits"), std::string::npos);
  fs::remove(root);
  EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find("root.key is not"), std::string::npos);
  EXPECT_FALSE(fs::exists(root));
  WriteFile(root, right);
  EXPECT_TRUE(OpenIn(directory_here_.path()));
}

TEST_F(LocalKeyProviderTest, KeysOfAnotherRegionAreRefused) {
  here_.reset();
  EXPECT_NE(OpenIn(directory_here_.path(), kThere).error().detail.find("eu-central-1"), std::string::npos);
}

TEST_F(LocalKeyProviderTest, SecondProcessIsKeptOut) {
  EXPECT_NE(OpenIn(directory_here_.path()).error().detail.find("in use by another process"), std::string::npos);
}

TEST_F(LocalKeyProviderTest, ChangeThatCannotBeWrittenIsNotMade) {
  const auto key = here_->CreateKey(true, "").value();
  fs::create_directories(directory_here_.path() / "keys.tmp" / "in the way");
  EXPECT_EQ(here_->DisableKey(key.id).error().code, LocalKeyErrorCode::kUnavailable);
  EXPECT_EQ(here_->CreateKey(true, "").error().code, LocalKeyErrorCode::kUnavailable);
  EXPECT_EQ(here_->Describe(key.id)->state, KeyState::kEnabled);
  EXPECT_EQ(here_->ListKeys(10, std::nullopt).keys.size(), 1u);
  fs::remove_all(directory_here_.path() / "keys.tmp");
  EXPECT_TRUE(here_->DisableKey(key.id));
}

}  // namespace
}  // namespace symbolon::keys::local

namespace symbolon::keys {

INSTANTIATE_TEST_SUITE_P(Local, KeyProviderContractTest,
                         testing::Values([] { return std::make_unique<local::LocalHarness>(); }));

}  // namespace symbolon::keys
