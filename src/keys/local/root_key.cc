#include "keys/local/root_key.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "crypto/scrypt.h"
#include "crypto/xaes.h"

namespace symbolon::keys::local {
namespace {

constexpr std::string_view kPassphraseHead = "symbolon root key 1 passphrase\n";
constexpr std::string_view kCmkHead = "symbolon root key 1 cmk\n";
constexpr std::size_t kSaltBytes = 16;
const EncryptionContext kContext = {{"symbolon:key", "root"}};

BytesView WithoutLineEnd(BytesView text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// The fields between the blanks; nullopt if there are not so many.
template <std::size_t count>
std::optional<std::array<std::string_view, count>> Fields(std::string_view text) {
  std::array<std::string_view, count> fields;
  for (std::size_t i = 0; i < count; ++i) {
    const auto blank = text.find(' ');
    if ((blank == std::string_view::npos) != (i + 1 == count)) return std::nullopt;
    fields[i] = text.substr(0, blank);
    if (blank != std::string_view::npos) text.remove_prefix(blank + 1);
  }
  return fields;
}

template <class Number>
bool Read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

tl::unexpected<std::string> NoRootKey() {
  return Err(std::string("is no root key file: it should hold 64 hexadecimal digits, or be written by symbolond"));
}

Result<Secret, std::string> WholeKey(Secret key) {
  if (key.size() == crypto::kXaesKeyBytes) return key;
  return NoRootKey();
}

Result<Secret, std::string> AskPassphrase(const RootKeyGuard& guard) {
  SYMBOLON_TRY(Secret passphrase, guard.passphrase());
  if (passphrase.size() >= kPassphraseBytesMin) return passphrase;
  return Err(fmt::format("the passphrase is shorter than {} octets", kPassphraseBytesMin));
}

Result<Secret, std::string> OpenWithPassphrase(BytesView content, const RootKeyGuard& guard) {
  const BytesView text = WithoutLineEnd(content.substr(kPassphraseHead.size()));
  const auto fields = Fields<5>(text);
  if (!fields) return NoRootKey();
  crypto::ScryptCost cost;
  const auto salt = HexDecode((*fields)[3]);
  const auto sealed = HexDecode((*fields)[4]);
  if (!Read((*fields)[0], cost.n) || !Read((*fields)[1], cost.r) || !Read((*fields)[2], cost.p) ||
      !cost.IsAcceptable() || !salt || !sealed) {
    return NoRootKey();
  }
  SYMBOLON_TRY(const Secret passphrase, AskPassphrase(guard));
  const Secret key = crypto::Scrypt(passphrase.view(), *salt, cost, crypto::kXaesKeyBytes);
  const BytesView data = content.substr(0, kPassphraseHead.size() + text.size() - (*fields)[4].size());
  auto root_key = crypto::XaesKey(key.view()).Open(data, *sealed);
  if (!root_key) return Err(std::string("does not open under this passphrase: another one, or the file is damaged"));
  return WholeKey(*std::move(root_key));
}

Result<Secret, std::string> OpenWithCmk(BytesView content, const RootKeyGuard& guard) {
  const auto fields = Fields<2>(WithoutLineEnd(content.substr(kCmkHead.size())));
  const auto ciphertext = fields ? HexDecode((*fields)[1]) : std::nullopt;
  if (!ciphertext) return NoRootKey();
  if ((*fields)[0] != guard.cmk_arn) {
    return Err(fmt::format("is encrypted under {}, and the configuration names {}", (*fields)[0], guard.cmk_arn));
  }
  auto root_key = guard.provider->Decrypt(guard.cmk_arn, kContext, *ciphertext);
  if (!root_key) return Err(fmt::format("is not decrypted by {}: {}", guard.cmk_arn, root_key.error().detail));
  return WholeKey(*std::move(root_key));
}

std::string_view Say(RootKeyProtection protection) {
  switch (protection) {
    case RootKeyProtection::kNone:
      return "not protected";
    case RootKeyProtection::kPassphrase:
      return "protected by a passphrase";
    case RootKeyProtection::kCmk:
      return "protected by a CMK";
  }
  return "";
}

}  // namespace

std::optional<RootKeyProtection> ProtectionOfRootKey(BytesView content) {
  if (content.starts_with(kPassphraseHead)) return RootKeyProtection::kPassphrase;
  if (content.starts_with(kCmkHead)) return RootKeyProtection::kCmk;
  auto octets = HexDecode(WithoutLineEnd(content));
  if (!octets) return std::nullopt;
  const Secret key(*std::move(octets));
  return key.size() == crypto::kXaesKeyBytes ? std::optional(RootKeyProtection::kNone) : std::nullopt;
}

std::string CmkOfRootKey(BytesView content) {
  if (!content.starts_with(kCmkHead)) return "";
  const auto fields = Fields<2>(WithoutLineEnd(content.substr(kCmkHead.size())));
  return fields ? std::string((*fields)[0]) : "";
}

Result<Secret, std::string> OpenRootKey(BytesView content, const RootKeyGuard& guard) {
  const auto protection = ProtectionOfRootKey(content);
  if (!protection) return NoRootKey();
  if (*protection != guard.protection) {
    return Err(fmt::format("is {}, and the configuration says that it is {}: symbolond --protect-root-key changes that",
                           Say(*protection), Say(guard.protection)));
  }
  switch (*protection) {
    case RootKeyProtection::kNone:
      return Secret(HexDecode(WithoutLineEnd(content)).value());
    case RootKeyProtection::kPassphrase:
      return OpenWithPassphrase(content, guard);
    case RootKeyProtection::kCmk:
      return OpenWithCmk(content, guard);
  }
  return NoRootKey();
}

Result<Secret, std::string> ProtectRootKey(const Secret& root_key, const RootKeyGuard& guard, Random& random) {
  switch (guard.protection) {
    case RootKeyProtection::kNone:
      return Secret(HexEncode(root_key.view()) + "\n");
    case RootKeyProtection::kPassphrase: {
      SYMBOLON_TRY(const Secret passphrase, AskPassphrase(guard));
      const crypto::ScryptCost& cost = guard.cost;
      const Bytes salt = random.Octets(kSaltBytes);
      const Secret key = crypto::Scrypt(passphrase.view(), salt, cost, crypto::kXaesKeyBytes);
      const std::string data = fmt::format("{}{} {} {} {} ", kPassphraseHead, cost.n, cost.r, cost.p, HexEncode(salt));
      return Secret(data + HexEncode(crypto::XaesKey(key.view()).Seal(random, data, root_key.view())) + "\n");
    }
    case RootKeyProtection::kCmk: {
      const auto encrypted = guard.provider->Encrypt(guard.cmk_arn, kContext, root_key.view());
      if (!encrypted) return Err(fmt::format("{} does not encrypt: {}", guard.cmk_arn, encrypted.error().detail));
      return Secret(fmt::format("{}{} {}\n", kCmkHead, guard.cmk_arn, HexEncode(*encrypted)));
    }
  }
  return NoRootKey();
}

}  // namespace symbolon::keys::local
