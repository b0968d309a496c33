#include <gtest/gtest.h>

#include "crypto/random.h"
#include "crypto/test_rsa_wrapping.h"
#include "keys/local/test_support.h"

namespace symbolon::keys::local {
namespace {

using std::chrono::days;
using std::chrono::hours;
using Code = LocalKeyErrorCode;
using Imported = LocalKeyProvider::ImportedMaterial;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");

class ImportTest : public testing::Test {
 protected:
  ImportTest() {
    from_here_.regions = {{kHere, here_.get()}, {kThere, there_.get()}};
    here_->SetChangeListener([this](const std::string& arn) { heard_.push_back(arn); });
  }
  // The customer's side.
  static Imported Wrap(LocalKeyProvider& keys, const std::string& id, BytesView material,
                       ImportAlgorithm algorithm = ImportAlgorithm::kRsaesOaepSha256) {
    const auto parameters = keys.ParametersForImport(id, algorithm, 2048).value();
    Imported imported{.token = parameters.token};
    if (algorithm == ImportAlgorithm::kRsaesOaepSha256) {
      imported.wrapped = crypto::test::WrapOaep(parameters.public_key, material);
    } else {
      const Bytes key(32, 'k');
      imported.wrapped = crypto::test::WrapOaep(parameters.public_key, key) + crypto::test::WrapAes(key, material);
    }
    return imported;
  }
  KeyState StateHere() { return here_->Describe(id_)->state; }

  ManualClock clock_;
  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ = OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> there_ = OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  DirectTransport from_here_{kHere};
  std::vector<std::string> heard_;
  const Bytes material_ = crypto::SystemRandom().Octets(32);
  const std::string id_ = here_->CreateKey(LocalKeyProvider::NewKey{.origin = KeyOrigin::kExternal}).value()->id;
};

TEST_F(ImportTest, KeyWorksWithItsMaterialOnly) {
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);
  EXPECT_EQ(here_->EncryptUnder(id_, {}, "x").error().code, Code::kPendingImport);
  EXPECT_EQ(here_->EnableKey(id_).error().code, Code::kPendingImport);
  EXPECT_EQ(here_->DeleteImportedMaterial(id_, {}).value(), "");
  ASSERT_TRUE(here_->ImportMaterial(id_, Wrap(*here_, id_, material_)));
  EXPECT_EQ(StateHere(), KeyState::kEnabled);
  const auto sealed = here_->EncryptUnder(id_, {}, "x").value();
  EXPECT_EQ(sealed.material_id.size(), 64u);

  heard_.clear();
  EXPECT_EQ(here_->DeleteImportedMaterial(id_, {}).value(), sealed.material_id);
  EXPECT_EQ(heard_.size(), 1u);
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);
  EXPECT_EQ(here_->Decrypt(sealed.key_arn, {}, sealed.ciphertext).error().code, KeyErrorCode::kDisabled);
  here_.reset();
  here_ = OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);

  // Only the same material comes back, by either algorithm.
  const Bytes other = crypto::SystemRandom().Octets(32);
  EXPECT_EQ(here_->ImportMaterial(id_, Wrap(*here_, id_, other)).error().code, Code::kIncorrectMaterial);
  ASSERT_TRUE(here_->ImportMaterial(id_, Wrap(*here_, id_, material_, ImportAlgorithm::kRsaAesKeyWrapSha256)));
  EXPECT_EQ(here_->DecryptUnder(id_, {}, sealed.ciphertext)->plaintext.view(), "x");
}

TEST_F(ImportTest, ExpiryOfMaterial_IsTold) {
  std::vector<std::string> told;
  here_->SetOwnActs({.may = {}, .did = [&](const LocalKeyProvider::OwnAct& act) {
                       if (act.kind == LocalKeyProvider::OwnAct::Kind::kMaterialExpired)
                         told.push_back(act.material_id);
                     }});
  Imported imported = Wrap(*here_, id_, material_);
  imported.valid_to = clock_.Now() + days(1);
  const auto material = here_->ImportMaterial(id_, imported).value();
  here_->Tick(from_here_);
  EXPECT_TRUE(told.empty());
  clock_.Advance(days(1));
  here_->Tick(from_here_);
  here_->Tick(from_here_);
  EXPECT_EQ(told, std::vector{material.id});
}

TEST_F(ImportTest, MaterialExpires) {
  Imported imported = Wrap(*here_, id_, material_);
  imported.valid_to = clock_.Now();
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kInvalidExpiry);
  imported.valid_to = clock_.Now() + days(366);
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kInvalidExpiry);
  imported.valid_to = clock_.Now() + hours(2);
  ASSERT_TRUE(here_->ImportMaterial(id_, imported));
  const auto sealed = here_->EncryptUnder(id_, {}, "x").value();
  clock_.Advance(hours(2));
  // Before anything has looked after it.
  EXPECT_EQ(here_->Decrypt(sealed.key_arn, {}, sealed.ciphertext).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);
  heard_.clear();
  here_->Tick(from_here_);
  EXPECT_EQ(heard_, std::vector<std::string>{sealed.key_arn});
  EXPECT_FALSE(here_->Facts(id_).value()->materials[0].present);
  imported.valid_to.reset();
  ASSERT_TRUE(here_->ImportMaterial(id_, imported));
  EXPECT_EQ(here_->DecryptUnder(id_, {}, sealed.ciphertext)->plaintext.view(), "x");
}

TEST_F(ImportTest, TokensBelongToOneKeyAndOneDay) {
  const Imported imported = Wrap(*here_, id_, material_);
  const std::string other = here_->CreateKey(LocalKeyProvider::NewKey{.origin = KeyOrigin::kExternal}).value()->id;
  EXPECT_EQ(here_->ImportMaterial(other, imported).error().code, Code::kInvalidImportToken);
  for (const Bytes& token : {Bytes(), Bytes("x"), Bytes(25, '\0'), imported.token + "x"}) {
    Imported wrong = imported;
    wrong.token = token;
    EXPECT_EQ(here_->ImportMaterial(id_, wrong).error().code, Code::kInvalidImportToken);
  }
  clock_.Advance(hours(24));
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kExpiredImportToken);
  here_->Tick(from_here_);
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kExpiredImportToken);
}

TEST_F(ImportTest, MaterialThatIsNoneIsRefused) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{16}, std::size_t{31}, std::size_t{33}, std::size_t{64}}) {
    EXPECT_EQ(here_->ImportMaterial(id_, Wrap(*here_, id_, Bytes(size, 'm'))).error().code, Code::kInvalidCiphertext);
  }
  Imported imported = Wrap(*here_, id_, material_);
  imported.wrapped[17] ^= 1;
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kInvalidCiphertext);
  imported.wrapped.clear();
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kInvalidCiphertext);
  imported = Wrap(*here_, id_, material_);
  imported.material_id = std::string(64, '0');
  EXPECT_EQ(here_->ImportMaterial(id_, imported).error().code, Code::kIncorrectMaterial);
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);

  const auto own = here_->CreateKey(false, "").value();
  EXPECT_EQ(here_->ParametersForImport(own.id, ImportAlgorithm::kRsaesOaepSha256, 2048).error().code,
            Code::kWrongOrigin);
  EXPECT_EQ(here_->DeleteImportedMaterial(own.id, {}).error().code, Code::kWrongOrigin);
  EXPECT_EQ(here_->EnableRotation(id_, {}).error().code, Code::kWrongOrigin);
}

TEST_F(ImportTest, NewMaterialTakesOverWhenItIsRotatedTo) {
  ASSERT_TRUE(here_->ImportMaterial(id_, Wrap(*here_, id_, material_)));
  EXPECT_EQ(here_->RotateOnDemand(id_, from_here_).error().code, Code::kNothingToRotateTo);
  const auto before = here_->EncryptUnder(id_, {}, "before").value();
  Imported next = Wrap(*here_, id_, Bytes(32, 'n'));
  next.is_new = true;
  const auto added = here_->ImportMaterial(id_, next);
  ASSERT_TRUE(added);
  Imported another = Wrap(*here_, id_, Bytes(32, 'a'));
  another.is_new = true;
  EXPECT_EQ(here_->ImportMaterial(id_, another).error().code, Code::kRotating);
  EXPECT_EQ(here_->EncryptUnder(id_, {}, "x")->material_id, before.material_id);
  ASSERT_TRUE(here_->RotateOnDemand(id_, from_here_));
  EXPECT_EQ(here_->EncryptUnder(id_, {}, "x")->material_id, added->id);
  EXPECT_EQ(here_->DecryptUnder(id_, {}, before.ciphertext)->plaintext.view(), "before");
  // The key needs all of its material.
  ASSERT_TRUE(here_->DeleteImportedMaterial(id_, before.material_id));
  EXPECT_EQ(StateHere(), KeyState::kPendingImport);
  EXPECT_EQ(here_->DeleteImportedMaterial(id_, std::string(64, '0')).error().code, Code::kNoSuchMaterial);
}

TEST_F(ImportTest, EveryRegionOfAMultiRegionKeyImportsTheSameMaterial) {
  const std::string id =
      here_->CreateKey(LocalKeyProvider::NewKey{.multi_region = true, .origin = KeyOrigin::kExternal}).value()->id;
  ASSERT_TRUE(here_->ImportMaterial(id, Wrap(*here_, id, material_)));
  const auto replica = here_->ReplicateKey(id, kThere, LocalKeyProvider::NewReplica{}, from_here_);
  ASSERT_TRUE(replica);
  EXPECT_EQ(here_->StateOf(**replica), KeyState::kPendingImport);
  EXPECT_TRUE(from_here_.sent.front().materials.front().sealed.empty());
  EXPECT_EQ(there_->Describe(id)->state, KeyState::kPendingImport);
  EXPECT_EQ(there_->ImportMaterial(id, Wrap(*there_, id, Bytes(32, 'x'))).error().code, Code::kIncorrectMaterial);
  ASSERT_TRUE(there_->ImportMaterial(id, Wrap(*there_, id, material_)));
  EXPECT_EQ(there_->DecryptUnder(id, {}, here_->EncryptUnder(id, {}, "x")->ciphertext)->plaintext.view(), "x");
}

TEST_F(ImportTest, MaterialIsInNoFileAfterItsDeletion) {
  ASSERT_TRUE(here_->ImportMaterial(id_, Wrap(*here_, id_, material_)));
  ASSERT_TRUE(here_->DeleteImportedMaterial(id_, {}));
  here_.reset();
  here_ = OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  ASSERT_TRUE(here_->Facts(id_));
  EXPECT_EQ(here_->EncryptUnder(id_, {}, "x").error().code, Code::kPendingImport);
}

}  // namespace
}  // namespace symbolon::keys::local
