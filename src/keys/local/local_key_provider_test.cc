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

ManualClock clock_of_tests;

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
  bool CanScheduleDeletion() const override { return true; }
  void ScheduleDeletion(const std::string& arn) override { ASSERT_TRUE(provider_->ScheduleDeletion(arn, 7)); }
  void Restart() override {
    provider_.reset();
    provider_ = OpenIn(directory_.path()).value();
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<LocalKeyProvider> provider_;
};

class LocalKeyProviderTest : public testing::Test {
 protected:
  LocalKeyProviderTest() { transport_.regions = {{kHere, here_.get()}, {kThere, there_.get()}}; }

  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ = OpenIn(directory_here_.path()).value();
  std::unique_ptr<LocalKeyProvider> there_ = OpenIn(directory_there_.path(), kThere).value();
  DirectTransport transport_{kHere};
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

TEST_F(LocalKeyProviderTest, ArnOfAnotherPartitionRegionOrAccountNamesNoKey) {
  const auto key = here_->CreateKey(true, "").value();
  const std::string rest = ":key/" + key.id;
  for (const std::string& arn :
       {"arn:aws-cn:kms:eu-central-1:000000000000" + rest, "arn:x:kms:eu-central-1:000000000000" + rest,
        "arn:aws:kms:us-east-1:000000000000" + rest, "arn:aws:kms:eu-central-1:111122223333" + rest}) {
    EXPECT_EQ(here_->Describe(arn).error().code, LocalKeyErrorCode::kNotFound) << arn;
    EXPECT_EQ(here_->Encrypt(arn, {}, "x").error().code, KeyErrorCode::kNotFound) << arn;
  }
  EXPECT_TRUE(here_->Encrypt(key.arn, {}, "x"));
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
  transport_.answer_is_lost = LocalKeyError{LocalKeyErrorCode::kUnavailable, "cut"};
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kUnavailable);
  EXPECT_TRUE(here_->Describe(key.id)->replicas.empty());
  transport_.answer_is_lost.reset();
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
  const auto flip = [](ReplicaKey& replica) { replica.materials[0].sealed.back() ^= 1; };
  transport_.alter = flip;
  EXPECT_EQ(here_->ReplicateKey(key.id, kThere, "", transport_).error().code, LocalKeyErrorCode::kMalformed);

  ASSERT_EQ(transport_.sent.size(), 1u);
  ReplicaKey good = transport_.sent[0];
  flip(good);
  std::vector<ReplicaKey> wrong(14, good);
  wrong[0].key_id = "mrk-ffffffffffffffffffffffffffffffff";
  wrong[1].key_id = "x";
  wrong[2].primary = Region("eu-west-1");
  wrong[3].primary = kThere;
  wrong[4].replicas = {};
  wrong[5].materials[0].facts.version = 2;
  wrong[6].materials[0].sealed = "";
  wrong[7].primary = Region();
  wrong[8].materials.clear();
  wrong[9].materials.push_back(good.materials[0]);
  wrong[10].current_version = 2;
  wrong[11].materials[0].facts.id = std::string(64, '0');
  wrong[12].rotation.since = Timestamp::max();
  wrong[13].rotation.period_days = -1;
  for (const ReplicaKey& replica : wrong) {
    EXPECT_EQ(there_->AcceptReplica(replica).error().code, LocalKeyErrorCode::kMalformed);
  }
  EXPECT_TRUE(there_->ListKeys(10, std::nullopt).keys.empty());
  EXPECT_TRUE(there_->AcceptReplica(good));
  // Sealed for the other Region.
  EXPECT_EQ(here_->AcceptReplica(good).error().code, LocalKeyErrorCode::kMalformed);
}

// A directory as the first release wrote it; it is not written to.
void CopyFirstRelease(const fs::path& from, const fs::path& to) {
  for (const char* name : {"keys", "root.key"}) {
    fs::copy_file(from / name, to / name);
    fs::permissions(to / name, fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST(LocalKeyFileTest, FilesOfTheFirstReleaseOpenAndAreWrittenAnew) {
  const fs::path written = fs::path(SYMBOLON_KEYS_TESTDATA) / "first_release";
  const TemporaryDirectory here, there;
  CopyFirstRelease(written, here.path());
  CopyFirstRelease(written / "there", there.path());
  const EncryptionContext context = {{"purpose", "fixture"}};
  const std::string multi = "mrk-7e3115904a3e2744b78ff6c4276aa49f";
  const std::string single = "c6a0ffc5-1753-411d-9674-401a2838e73a";
  const std::string owned = "arn:aws:kms:eu-central-1:000000000000:key/902a4c14-c13d-48d6-bcf2-5ed04dc29a96";
  const Bytes of_multi = HexDecode(
                             "01246d726b2d3765333131353930346133653237343462373866663663343237366161343966000000010b"
                             "68adb06b080fd5b35f94825a77514599921ac4a391b7c28d01aeb425cdb626cd423b68e6ca4f03c9811f"
                             "fc63362124e287f9175a211e6bb7d42ecc4a716e")
                             .value();
  const Bytes of_single = HexDecode(
                              "012463366130666663352d313735332d343131642d393637342d343031613238333865373361000000"
                              "01cd3d54ed7a59e4b112a068e1ea3e8799c6073297a8fdebde98a4e86ca5be1452a1fb09bee35bcfbe"
                              "291fe72964cbd1ef665b1b3ee84132452dd7e1c8d7587e19")
                              .value();
  for (int restarts = 0; restarts < 3; ++restarts) {
    auto provider = OpenIn(here.path()).value();
    const auto facts = provider->Facts(multi).value();
    EXPECT_EQ(facts->description, "multi-Region, with a replica");
    EXPECT_EQ(facts->created, FromSeconds(1'700'003'600));
    EXPECT_EQ(facts->replicas, std::vector<Region>{kThere});
    EXPECT_EQ(facts->current_version, 1u);
    EXPECT_EQ(facts->current()->id.size(), 64u);
    EXPECT_EQ(*facts->policy, DefaultKeyPolicy(kTestAccount));
    EXPECT_EQ(provider->Decrypt(facts->arn, context, of_multi)->view(), "of the multi-Region key");
    EXPECT_EQ(provider->EnsureServiceOwnedKey().value(), owned);
    EXPECT_EQ(provider->Describe(single)->state, restarts == 0 ? KeyState::kDisabled : KeyState::kEnabled);
    ASSERT_TRUE(provider->EnableKey(single));
    EXPECT_EQ(provider->DecryptUnder(std::nullopt, context, of_single)->plaintext.view(), "of the single-Region key");
  }
  auto replica = OpenIn(there.path(), kThere).value();
  EXPECT_EQ(replica->Facts(multi).value()->current()->id,
            OpenIn(here.path()).value()->Facts(multi).value()->current()->id);
  EXPECT_EQ(replica->DecryptUnder(multi, context, of_multi)->plaintext.view(), "of the multi-Region key");
}

TEST_F(LocalKeyProviderTest, SettingsOfAKeyOutliveARestart) {
  const auto key =
      here_->CreateKey(LocalKeyProvider::NewKey{.description = "first", .tags = {{"a", "1"}, {"b", "2"}}}).value();
  ASSERT_TRUE(here_->SetDescription(key->id, "second"));
  ASSERT_TRUE(here_->SetPolicy(key->id, "{}"));
  ASSERT_TRUE(here_->AddTags(key->id, {{"b", "3"}, {"c", "4"}}));
  ASSERT_TRUE(here_->RemoveTags(key->id, {"a", "none"}));
  here_.reset();
  here_ = OpenIn(directory_here_.path()).value();
  const auto facts = here_->Facts(key->id).value();
  EXPECT_EQ(facts->description, "second");
  EXPECT_EQ(*facts->policy, "{}");
  EXPECT_FALSE(facts->policy_is_default);
  EXPECT_EQ(facts->tags, (Tags{{"b", "3"}, {"c", "4"}}));
  EXPECT_EQ(here_->Facts(key->id).value()->policy, facts->policy);  // the same object

  Tags many;
  for (std::size_t i = 0; i < LocalKeyProvider::kTagsMax; ++i) many.emplace(std::to_string(i), "");
  EXPECT_EQ(here_->AddTags(key->id, many).error().code, LocalKeyErrorCode::kLimitExceeded);
  EXPECT_EQ(here_->Facts(key->id).value()->tags.size(), 2u);
}

TEST_F(LocalKeyProviderTest, AliasesNameKeys) {
  const auto one = here_->CreateKey(false, "").value(), two = here_->CreateKey(false, "").value();
  ASSERT_TRUE(here_->CreateAlias("alias/a", one.id));
  EXPECT_EQ(here_->CreateAlias("alias/a", two.id).error().code, LocalKeyErrorCode::kAlreadyExists);
  EXPECT_EQ(here_->TargetOf("alias/a").value(), one.id);
  clock_of_tests.Advance(std::chrono::seconds(5));
  ASSERT_TRUE(here_->UpdateAlias("alias/a", two.arn));
  ASSERT_TRUE(here_->CreateAlias("alias/b", two.id));
  here_.reset();
  here_ = OpenIn(directory_here_.path()).value();
  const auto aliases = here_->Aliases();
  ASSERT_EQ(aliases.size(), 2u);
  EXPECT_EQ(aliases[0].name, "alias/a");
  EXPECT_EQ(aliases[0].key_id, two.id);
  EXPECT_EQ(aliases[0].updated - aliases[0].created, std::chrono::seconds(5));
  ASSERT_TRUE(here_->DeleteAlias("alias/a"));
  EXPECT_EQ(here_->DeleteAlias("alias/a").error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_EQ(here_->UpdateAlias("alias/a", one.id).error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_EQ(here_->CreateAlias("alias/c", "none").error().code, LocalKeyErrorCode::kNotFound);
  EXPECT_EQ(here_->CreateAlias("alias/c", here_->EnsureServiceOwnedKey().value()).error().code,
            LocalKeyErrorCode::kNotFound);
  for (std::size_t i = 0; i < LocalKeyProvider::kAliasesPerKeyMax; ++i) {
    ASSERT_TRUE(here_->CreateAlias("alias/n" + std::to_string(i), one.id));
  }
  EXPECT_EQ(here_->CreateAlias("alias/more", one.id).error().code, LocalKeyErrorCode::kLimitExceeded);
  EXPECT_EQ(here_->UpdateAlias("alias/b", one.id).error().code, LocalKeyErrorCode::kLimitExceeded);
  EXPECT_TRUE(here_->UpdateAlias("alias/n0", one.id));
}

TEST_F(LocalKeyProviderTest, GrantsAreKeptUntilTheyAreRemoved) {
  const auto key = here_->CreateKey(false, "").value();
  const Grant asked{.name = "g",
                    .grantee = "arn:aws:iam::000000000000:user/a",
                    .retiring = "arn:aws:iam::000000000000:user/b",
                    .operations = {"Decrypt"},
                    .constraints = {.context_subset = EncryptionContext{{"a", "b"}}}};
  const Grant made = here_->CreateGrant(key.id, asked).value();
  EXPECT_EQ(made.id.size(), 64u);
  EXPECT_EQ(here_->CreateGrant(key.id, asked).value(), made);
  Grant other = asked;
  other.constraints.context_subset = EncryptionContext{};
  EXPECT_NE(here_->CreateGrant(key.id, other).value().id, made.id);
  Grant nameless = asked;
  nameless.name.clear();
  EXPECT_NE(here_->CreateGrant(key.id, nameless).value().id, here_->CreateGrant(key.id, nameless).value().id);
  here_.reset();
  here_ = OpenIn(directory_here_.path()).value();
  const auto grants = here_->Facts(key.id).value()->grants;
  EXPECT_EQ(grants.size(), 4u);
  EXPECT_TRUE(std::ranges::is_sorted(grants, {}, &Grant::id));
  EXPECT_NE(std::ranges::find(grants, made), grants.end());
  EXPECT_EQ(here_->GrantsRetirableBy(asked.retiring).size(), 4u);
  EXPECT_TRUE(here_->GrantsRetirableBy(asked.grantee).empty());
  ASSERT_TRUE(here_->RemoveGrant(key.id, made.id));
  EXPECT_EQ(here_->RemoveGrant(key.id, made.id).error().code, LocalKeyErrorCode::kNoSuchGrant);
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
