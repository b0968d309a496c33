// A real PKCS #11 token for tests: SoftHSM, in a folder that goes with the object. One at a time in a process.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "base/temporary_directory.h"
#include "keys/pkcs11/pkcs11_key_provider.h"

namespace symbolon::keys::pkcs11 {

class SoftToken {
 public:
  static constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

  // Initialises it, with its PIN. `module`: by which it is reached, SoftHSM's or one before it.
  explicit SoftToken(std::filesystem::path module = kModule);

  static constexpr const char* kLabel = "test token";
  static constexpr const char* kPin = "1234-and-more";

  // As docs/providers.md says, with pkcs11-tool, whose further options are `options`.
  void MakeKey(const std::string& label, const std::string& options = "");
  // Sets CKA_DECRYPT.
  void SetDecrypts(const std::string& label, bool decrypts);
  void DeleteKey(const std::string& label);
  void SetPin(const std::string& pin);
  // Takes the token out, and puts it back.
  void Remove();
  void Return();

  // Of a provider that uses it.
  Pkcs11KeyProvider::Options Options() const;

 private:
  std::filesystem::path Tokens() const { return folder_.path() / "tokens"; }
  std::filesystem::path Away() const { return folder_.path() / "away"; }
  void Run(const std::string& command) const;

  const std::filesystem::path module_;
  TemporaryDirectory folder_;
  std::string pin_ = kPin;
};

}  // namespace symbolon::keys::pkcs11
