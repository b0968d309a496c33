#include "keys/pkcs11/soft_token.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <fstream>

namespace symbolon::keys::pkcs11 {
namespace {

constexpr const char* kOfficerPin = "the-officer's-pin";

}  // namespace

SoftToken::SoftToken(std::filesystem::path module) : module_(std::move(module)) {
  std::filesystem::create_directory(Tokens());
  const std::filesystem::path configuration = folder_.path() / "softhsm2.conf";
  std::ofstream(configuration) << "directories.tokendir = " << Tokens().string()
                               << "\nobjectstore.backend = file\nlog.level = ERROR\n";
  ::setenv("SOFTHSM2_CONF", configuration.c_str(), 1);
  Run(fmt::format("softhsm2-util --init-token --free --label '{}' --pin {} --so-pin \"{}\"", kLabel, pin_,
                  kOfficerPin));
}

void SoftToken::Run(const std::string& command) const {
  const std::filesystem::path output = folder_.path() / "output";
  const int status = std::system((command + " > " + output.string() + " 2>&1").c_str());
  if (status == 0) return;
  std::ifstream text(output);
  fmt::print(stderr, "{}\n{}", command, std::string(std::istreambuf_iterator<char>(text), {}));
  SYMBOLON_CHECK(status == 0);
}

void SoftToken::MakeKey(const std::string& label, const std::string& options) {
  Run(
      fmt::format("pkcs11-tool --module {} --token-label '{}' --login --pin {} --keygen --key-type AES:32 --sensitive "
                  "--label {} {}",
                  kModule, kLabel, pin_, label, options));
}

void SoftToken::DeleteKey(const std::string& label) {
  Run(fmt::format(
      "pkcs11-tool --module {} --token-label '{}' --login --pin {} --delete-object --type secrkey --label {}", kModule,
      kLabel, pin_, label));
}

void SoftToken::SetPin(const std::string& pin) {
  Run(fmt::format("pkcs11-tool --module {} --token-label '{}' --login --pin {} --change-pin --new-pin {}", kModule,
                  kLabel, pin_, pin));
  pin_ = pin;
}

void SoftToken::SetDecrypts(const std::string& label, bool decrypts) {
  const auto module = Module::Load(module_).value();
  const Module::Visit visit = module->Enter();
  Token token(module, kLabel, std::nullopt, [this]() -> Result<Secret, std::string> { return Secret::CopyOf(pin_); });
  CK_SESSION_HANDLE session = 0;
  SYMBOLON_CHECK(visit->C_OpenSession(token.FindSlot(visit).value(), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                      nullptr, &session) == CKR_OK);
  SYMBOLON_CHECK(token.LogIn(visit, session));
  CK_ATTRIBUTE name{CKA_LABEL, const_cast<char*>(label.data()), label.size()};
  CK_OBJECT_HANDLE key = 0;
  CK_ULONG count = 0;
  SYMBOLON_CHECK(visit->C_FindObjectsInit(session, &name, 1) == CKR_OK);
  SYMBOLON_CHECK(visit->C_FindObjects(session, &key, 1, &count) == CKR_OK && count == 1);
  SYMBOLON_CHECK(visit->C_FindObjectsFinal(session) == CKR_OK);
  CK_BBOOL value = decrypts ? CK_TRUE : CK_FALSE;
  CK_ATTRIBUTE flag{CKA_DECRYPT, &value, sizeof(value)};
  SYMBOLON_CHECK(visit->C_SetAttributeValue(session, key, &flag, 1) == CKR_OK);
  visit->C_CloseSession(session);
}

void SoftToken::Remove() {
  std::filesystem::rename(Tokens(), Away());
  std::filesystem::create_directory(Tokens());
}

void SoftToken::Return() {
  std::filesystem::remove_all(Tokens());
  std::filesystem::rename(Away(), Tokens());
}

Pkcs11KeyProvider::Options SoftToken::Options() const {
  return {.module = module_,
          .token_label = kLabel,
          .pin = [this]() -> Result<Secret, std::string> { return Secret::CopyOf(pin_); },
          .region = Region("eu-central-1"),
          .account = "000000000000",
          .timeout = std::chrono::seconds(60)};
}

}  // namespace symbolon::keys::pkcs11
