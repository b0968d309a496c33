#include "keys/pkcs11/pkcs11_key_provider.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"
#include "crypto/random.h"
#include "keys/pkcs11/soft_token.h"
#include "keys/provider_contract_test.h"

namespace symbolon::keys::pkcs11 {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string ArnOf(const std::string& label) { return "arn:aws:kms:eu-central-1:000000000000:key/hsm-" + label; }

// faulty_module.cc
class FaultyModule {
 public:
  FaultyModule() : library_(::dlopen(SYMBOLON_FAULTY_MODULE, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(::dlerror());
  }
  void Shut(bool is_shut) const { Set("FaultyModuleShut", is_shut); }
  void Break(bool is_broken) const { Set("FaultyModuleBreak", is_broken); }

 private:
  void Set(const char* name, bool value) const { reinterpret_cast<void (*)(bool)>(::dlsym(library_, name))(value); }

  void* const library_;
};

class Pkcs11Harness final : public KeyProviderHarness {
 public:
  Pkcs11Harness() { Restart(); }
  KeyProvider& provider() override { return *provider_; }
  std::string MakeKey() override {
    const std::string label = "key-" + std::to_string(++keys_);
    token_.MakeKey(label);
    return ArnOf(label);
  }
  void Disable(const std::string& arn) override { token_.SetDecrypts(arn.substr(ArnOf("").size()), false); }
  void Enable(const std::string& arn) override { token_.SetDecrypts(arn.substr(ArnOf("").size()), true); }
  void Restart() override {
    provider_.reset();
    provider_ = Pkcs11KeyProvider::Open(token_.Options(), clock_, crypto::SystemRandom()).value();
  }
  // A connection that broke, which says nothing about the token.
  bool CanBeCutOff() const override { return true; }
  void CutOff() override { module_.Break(true); }
  void Reconnect() override {
    module_.Break(false);
    clock_.Advance(1s);
  }
  bool CanBeTakenOut() const override { return true; }
  void TakeOut() override { token_.Remove(); }
  void PutBack() override {
    token_.Return();
    clock_.Advance(1s);
  }

 private:
  FaultyModule module_;
  SoftToken token_{SYMBOLON_FAULTY_MODULE};
  ManualClock clock_;
  int keys_ = 0;
  std::unique_ptr<Pkcs11KeyProvider> provider_;
};

class Pkcs11KeyProviderTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Pkcs11KeyProvider>, std::string> Open(const Pkcs11KeyProvider::Options& options) {
    return Pkcs11KeyProvider::Open(options, clock_, crypto::SystemRandom());
  }

  SoftToken token_;
  ManualClock clock_;
  const EncryptionContext context_ = {{"a", "b"}};
};

TEST_F(Pkcs11KeyProviderTest, KeysOfOthers_AreNotFound) {
  token_.MakeKey("mine");
  const auto provider = Open(token_.Options()).value();
  ASSERT_TRUE(provider->DescribeKey(ArnOf("mine")));
  for (const char* arn :
       {"arn:aws:kms:us-east-1:000000000000:key/hsm-mine", "arn:aws:kms:eu-central-1:000000000001:key/hsm-mine",
        "arn:aws:kms:eu-central-1:000000000000:key/mine", "arn:aws:kms:eu-central-1:000000000000:key/hsm-",
        "arn:aws:kms:eu-central-1:000000000000:alias/hsm-mine", "arn:aws-cn:kms:eu-central-1:000000000000:key/hsm-mine",
        "arn:aws:kms:eu-central-1:000000000000:key/hsm-mi ne"}) {
    EXPECT_EQ(provider->DescribeKey(arn).error().code, KeyErrorCode::kNotFound) << arn;
  }
  EXPECT_EQ(provider->DescribeKey(ArnOf(std::string(65, 'a'))).error().code, KeyErrorCode::kNotFound);
}

TEST_F(Pkcs11KeyProviderTest, DeletedKey_IsNotFound) {
  token_.MakeKey("mine");
  const auto provider = Open(token_.Options()).value();
  const Bytes wrapped = provider->GenerateDataKeyWithoutPlaintext(ArnOf("mine"), context_).value();
  token_.DeleteKey("mine");
  EXPECT_EQ(provider->Decrypt(ArnOf("mine"), context_, wrapped).error().code, KeyErrorCode::kNotFound);
  // Another key of that name opens nothing.
  token_.MakeKey("mine");
  EXPECT_EQ(provider->Decrypt(ArnOf("mine"), context_, wrapped).error().code, KeyErrorCode::kInvalidCiphertext);
}

TEST_F(Pkcs11KeyProviderTest, TwoKeysOfOneLabel_AreRefused) {
  token_.MakeKey("twin");
  token_.MakeKey("twin");
  const auto provider = Open(token_.Options()).value();
  const auto error = provider->Encrypt(ArnOf("twin"), context_, "x").error();
  EXPECT_EQ(error.code, KeyErrorCode::kNotFound);
  EXPECT_THAT(error.detail, HasSubstr("several"));
}

TEST_F(Pkcs11KeyProviderTest, KeyThatCouldLeaveTheToken_IsRefused) {
  token_.MakeKey("loose", "--extractable");
  const auto provider = Open(token_.Options()).value();
  const auto error = provider->Encrypt(ArnOf("loose"), context_, "x").error();
  EXPECT_EQ(error.code, KeyErrorCode::kAccessDenied);
  EXPECT_THAT(error.detail, HasSubstr("could leave the token"));
}

TEST_F(Pkcs11KeyProviderTest, WrongPin_IsAStartErrorWithoutThePin) {
  auto options = token_.Options();
  options.pin = []() -> Result<Secret, std::string> { return Secret::CopyOf("9876543210"); };
  const auto provider = Open(options);
  ASSERT_FALSE(provider);
  EXPECT_THAT(provider.error(), HasSubstr("refuses the PIN"));
  EXPECT_THAT(provider.error(), testing::Not(HasSubstr("9876543210")));
}

TEST_F(Pkcs11KeyProviderTest, PinChangedMeanwhile_IsNotTriedUntilTheTokenLocks) {
  token_.MakeKey("mine");
  std::string pin = SoftToken::kPin;
  int asked = 0;
  auto options = token_.Options();
  options.pin = [&]() -> Result<Secret, std::string> {
    ++asked;
    return Secret::CopyOf(pin);
  };
  options.sessions = 1;
  const auto provider = Open(options).value();
  token_.SetPin("another-pin");
  token_.Remove();
  EXPECT_EQ(provider->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kRemoved);
  token_.Return();
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(1s);
    EXPECT_EQ(provider->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kAccessDenied);
  }
  pin = "another-pin";
  EXPECT_TRUE(provider->DescribeKey(ArnOf("mine")));
  EXPECT_GT(asked, 20);
}

TEST_F(Pkcs11KeyProviderTest, TokenThatIsNotThereAtTheStart_ServesWhenItComes) {
  token_.MakeKey("mine");
  token_.Remove();
  const auto provider = Open(token_.Options());
  ASSERT_TRUE(provider) << provider.error();
  EXPECT_EQ((*provider)->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kRemoved);
  token_.Return();
  clock_.Advance(1s);
  EXPECT_TRUE((*provider)->DescribeKey(ArnOf("mine")));
}

TEST_F(Pkcs11KeyProviderTest, DeviceErrorAfterATokenWasRemoved_IsUnavailableAgain) {
  token_.MakeKey("mine");
  const FaultyModule module;
  auto options = token_.Options();
  options.module = SYMBOLON_FAULTY_MODULE;
  const auto provider = Open(options).value();
  token_.Remove();
  EXPECT_EQ(provider->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kRemoved);
  clock_.Advance(1s);
  module.Break(true);
  EXPECT_EQ(provider->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kUnavailable);
  EXPECT_EQ(provider->DescribeKey(ArnOf("mine")).error().code, KeyErrorCode::kUnavailable);
  module.Break(false);
}

TEST_F(Pkcs11KeyProviderTest, NoModule_IsAStartErrorThatNamesIt) {
  auto options = token_.Options();
  options.module = "/nonexistent/libhsm.so";
  EXPECT_THAT(Open(options).error(), HasSubstr("/nonexistent/libhsm.so"));
  options.module = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  EXPECT_THAT(Open(options).error(), HasSubstr("no PKCS #11 module"));
}

TEST_F(Pkcs11KeyProviderTest, TokenByItsSlot) {
  token_.MakeKey("mine");
  auto options = token_.Options();
  {
    const auto module = Module::Load(SoftToken::kModule).value();
    const Token by_label(module, SoftToken::kLabel, std::nullopt, options.pin);
    options.slot = by_label.FindSlot(module->Enter()).value();
  }
  options.token_label.reset();
  EXPECT_TRUE(Open(options).value()->DescribeKey(ArnOf("mine")));
}

TEST_F(Pkcs11KeyProviderTest, ModuleThatHangs_IsUnavailableAndHoldsNobodyUp) {
  token_.MakeKey("mine");
  const FaultyModule module;
  auto options = token_.Options();
  options.module = SYMBOLON_FAULTY_MODULE;
  options.sessions = 2;
  options.timeout = 2s;
  const auto provider = Open(options).value();
  const Bytes wrapped = provider->GenerateDataKeyWithoutPlaintext(ArnOf("mine"), context_).value();

  module.Shut(true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(provider->Decrypt(ArnOf("mine"), context_, wrapped).error().code, KeyErrorCode::kUnavailable);
    // Until it may be asked again, nothing is.
    EXPECT_THAT(provider->Decrypt(ArnOf("mine"), context_, wrapped).error().detail, HasSubstr("a moment ago"));
    clock_.Advance(1s);
  }
  module.Shut(false);
  EXPECT_TRUE(provider->Decrypt(ArnOf("mine"), context_, wrapped));
}

TEST_F(Pkcs11KeyProviderTest, ProviderEndsThoughACallHangs) {
  token_.MakeKey("mine");
  const FaultyModule module;
  auto options = token_.Options();
  options.module = SYMBOLON_FAULTY_MODULE;
  options.timeout = 100ms;
  auto provider = Open(options).value();
  const auto wrapped = provider->GenerateDataKeyWithoutPlaintext(ArnOf("mine"), context_);
  module.Shut(true);
  if (wrapped) EXPECT_FALSE(provider->Decrypt(ArnOf("mine"), context_, *wrapped));
  provider.reset();
  module.Shut(false);
}

}  // namespace
}  // namespace symbolon::keys::pkcs11

namespace symbolon::keys {

INSTANTIATE_TEST_SUITE_P(Pkcs11, KeyProviderContractTest,
                         testing::Values([] { return std::make_unique<pkcs11::Pkcs11Harness>(); }));

}  // namespace symbolon::keys
