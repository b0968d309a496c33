#include "keys/pkcs11/token_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "crypto/hash.h"

namespace symbolon::keys::pkcs11 {
namespace {

constexpr std::size_t kSlotsMax = 1024;
constexpr CK_ULONG kKeyBytes = 32;

// The module says for certain that the token is not there; everything else (a device error, a connection that broke)
// says nothing about it.
bool SaysRemoved(CK_RV answer) { return answer == CKR_TOKEN_NOT_PRESENT || answer == CKR_DEVICE_REMOVED; }

// What is said when a call that should work has not.
KeyError Failed(std::string_view call, CK_RV answer) {
  return {SaysRemoved(answer) ? KeyErrorCode::kRemoved : KeyErrorCode::kUnavailable,
          fmt::format("{}: {}", call, NameOf(answer))};
}

// Something that a new session, or a module that began anew, may cure.
template <class T>
bool IsTrouble(const KeyResult<T>& result) {
  return !result &&
         (result.error().code == KeyErrorCode::kUnavailable || result.error().code == KeyErrorCode::kRemoved);
}

// "payments" of "payments" and the blanks that fill the field up.
std::string_view Trimmed(const unsigned char* text, std::size_t size) {
  std::string_view trimmed(reinterpret_cast<const char*>(text), size);
  while (trimmed.ends_with(' ') || trimmed.ends_with('\0')) trimmed.remove_suffix(1);
  return trimmed;
}

// What C_EncryptInit and C_DecryptInit say of a key, rather than of the token.
std::optional<KeyError> Verdict(CK_RV answer) {
  switch (answer) {
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
      return KeyError{KeyErrorCode::kDisabled, "the token does not let the key encrypt and decrypt"};
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_KEY_SIZE_RANGE:
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
      return KeyError{KeyErrorCode::kAccessDenied,
                      "the token does not use the key with CKM_AES_GCM: " + NameOf(answer)};
    default:
      return std::nullopt;
  }
}

CK_BYTE_PTR Octets(BytesView bytes) {
  return reinterpret_cast<CK_BYTE_PTR>(const_cast<char*>(bytes.data()));  // PKCS #11 knows no const.
}

CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, void* value, std::size_t size) {
  return {type, value, static_cast<CK_ULONG>(size)};
}

CK_GCM_PARAMS GcmParameters(BytesView iv, BytesView additional_data) {
  return {.iv_ptr = Octets(iv),
          .iv_len = iv.size(),
          .iv_bits = iv.size() * 8,
          .aad_ptr = Octets(additional_data),
          .aad_len = additional_data.size(),
          .tag_bits = kGcmTagBytes * 8};
}

}  // namespace

// ---- Token ----

KeyResult<CK_SLOT_ID> Token::FindSlot(const Module::Visit& visit) const {
  std::array<CK_SLOT_ID, kSlotsMax> slots;
  CK_ULONG count = slots.size();
  const CK_RV listed = visit->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (listed != CKR_OK) return Err(Failed("C_GetSlotList", listed));
  std::optional<CK_SLOT_ID> found;
  std::optional<KeyError> unknown;
  for (std::size_t i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (const CK_RV told = visit->C_GetTokenInfo(slots[i], &info); told != CKR_OK) {
      if (!SaysRemoved(told)) unknown = Failed("C_GetTokenInfo", told);
      continue;
    }
    if (label_ ? Trimmed(info.label, sizeof(info.label)) != *label_ : slots[i] != *slot_) continue;
    if (found) return Err(KeyError{KeyErrorCode::kUnavailable, fmt::format("two tokens are labelled {}", *label_)});
    found = slots[i];
  }
  if (found) return *found;
  if (unknown) return Err(*std::move(unknown));  // It may be that one.
  return Err(KeyError{KeyErrorCode::kRemoved, label_ ? fmt::format("no token labelled {} is there", *label_)
                                                     : fmt::format("no token is in slot {}", *slot_)});
}

KeyResult<void> Token::LogIn(const Module::Visit& visit, CK_SESSION_HANDLE session) {
  std::lock_guard guard(login_mutex_);
  const auto pin = pin_();
  if (!pin) return Err(KeyError{KeyErrorCode::kAccessDenied, pin.error()});
  if (refused_pin_ && crypto::EqualSecrets(refused_pin_->view(), pin->view())) {
    return Err(KeyError{KeyErrorCode::kAccessDenied,
                        "the token refused the PIN; the same one is not tried again, so that the token does not lock"});
  }
  const CK_RV answer = visit->C_Login(session, CKU_USER, Octets(pin->view()), pin->size());
  switch (answer) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
      refused_pin_.reset();
      return {};
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      refused_pin_ = pin->Clone();
      return Err(KeyError{KeyErrorCode::kAccessDenied, "the token refuses the PIN: " + NameOf(answer)});
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED:
    case CKR_USER_PIN_NOT_INITIALIZED:
      return Err(KeyError{KeyErrorCode::kAccessDenied, "the token lets nobody in: " + NameOf(answer)});
    default:
      return Err(Failed("C_Login", answer));
  }
}

// ---- opening ----

KeyResult<void> TokenSession::Open(const Module::Visit& visit) {
  if (session_ && run_ == visit.run()) return {};
  session_.reset();
  if (!visit.usable()) return Err(KeyError{KeyErrorCode::kUnavailable, "the PKCS #11 module does not start again"});
  SYMBOLON_TRY(const CK_SLOT_ID slot, token_->FindSlot(visit));
  CK_MECHANISM_INFO mechanism{};
  const CK_RV known = visit->C_GetMechanismInfo(slot, CKM_AES_GCM, &mechanism);
  if (known == CKR_MECHANISM_INVALID) {
    return Err(KeyError{KeyErrorCode::kAccessDenied, "the token does not offer CKM_AES_GCM"});
  }
  CK_SESSION_HANDLE session = 0;
  const CK_RV opened = visit->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
  if (opened != CKR_OK) return Err(Failed("C_OpenSession", opened));
  if (auto entered = token_->LogIn(visit, session); !entered) {
    visit->C_CloseSession(session);
    return entered;
  }
  session_ = session;
  slot_ = slot;
  run_ = visit.run();
  return {};
}

void TokenSession::Drop(const Module::Visit& visit) {
  if (session_ && run_ == visit.run()) visit->C_CloseSession(*session_);
  session_.reset();
}

TokenSession::~TokenSession() {
  if (session_) Drop(token_->module().Enter());
}

// A session may have been lost since it was used last, so once more with a new one, and then with a module that has
// begun anew. All that is done here may be done twice.
template <class T>
KeyResult<T> TokenSession::Try(const std::function<KeyResult<T>(const Module::Visit&)>& work) {
  std::uint64_t run = 0;
  const auto attempt = [&]() -> KeyResult<T> {
    const Module::Visit visit = token_->module().Enter();
    run = visit.run();
    SYMBOLON_TRY_VOID(Open(visit));
    auto result = work(visit);
    if (IsTrouble(result)) Drop(visit);
    return result;
  };
  auto result = attempt();
  if (IsTrouble(result)) result = attempt();
  if (IsTrouble(result)) {
    token_->module().Restart(run);
    result = attempt();
  }
  return result;
}

KeyResult<void> TokenSession::Reach() {
  return Try<void>([](const Module::Visit&) { return KeyResult<void>(); });
}

// ---- keys ----

KeyResult<bool> TokenSession::ReadFlag(const Module::Visit& visit, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type,
                                       bool otherwise) {
  CK_BBOOL flag = CK_FALSE;
  CK_ATTRIBUTE attribute = Attribute(type, &flag, sizeof(flag));
  const CK_RV answer = visit->C_GetAttributeValue(*session_, key, &attribute, 1);
  if (answer == CKR_OK) return flag != CK_FALSE;
  if (answer == CKR_ATTRIBUTE_TYPE_INVALID) return otherwise;
  return Err(Failed("C_GetAttributeValue", answer));
}

// A key that can be taken out is not what its owner thinks it is.
KeyResult<void> TokenSession::CheckStaysInside(const Module::Visit& visit, CK_OBJECT_HANDLE key,
                                               const std::string& label) {
  SYMBOLON_TRY(const bool sensitive, ReadFlag(visit, key, CKA_SENSITIVE, false));
  SYMBOLON_TRY(const bool extractable, ReadFlag(visit, key, CKA_EXTRACTABLE, true));
  SYMBOLON_TRY(const bool trusted_only, ReadFlag(visit, key, CKA_WRAP_WITH_TRUSTED, false));
  if (sensitive && (!extractable || trusted_only)) return {};
  return Err(
      KeyError{KeyErrorCode::kAccessDenied,
               fmt::format("the key labelled {} could leave the token: it has to be CKA_SENSITIVE and either not "
                           "CKA_EXTRACTABLE or CKA_WRAP_WITH_TRUSTED",
                           label)});
}

KeyResult<CK_OBJECT_HANDLE> TokenSession::FindObject(const Module::Visit& visit, const std::string& label) {
  CK_OBJECT_CLASS object_class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_BBOOL on_token = CK_TRUE;
  std::array criteria = {Attribute(CKA_CLASS, &object_class, sizeof(object_class)),
                         Attribute(CKA_KEY_TYPE, &type, sizeof(type)),
                         Attribute(CKA_TOKEN, &on_token, sizeof(on_token)),
                         Attribute(CKA_LABEL, const_cast<char*>(label.data()), label.size())};
  const CK_RV begun = visit->C_FindObjectsInit(*session_, criteria.data(), criteria.size());
  if (begun != CKR_OK) return Err(Failed("C_FindObjectsInit", begun));
  std::array<CK_OBJECT_HANDLE, 2> handles{};
  CK_ULONG count = 0;
  const CK_RV found = visit->C_FindObjects(*session_, handles.data(), handles.size(), &count);
  const CK_RV ended = visit->C_FindObjectsFinal(*session_);
  if (found != CKR_OK || ended != CKR_OK) return Err(Failed("C_FindObjects", found != CKR_OK ? found : ended));
  if (count == 1) return handles[0];
  if (count > 1) {
    return Err(KeyError{KeyErrorCode::kNotFound, fmt::format("several AES keys in the token are labelled {}", label)});
  }
  // Nothing is known about keys while the token is away.
  SYMBOLON_TRY(const CK_SLOT_ID slot, token_->FindSlot(visit));
  if (slot != slot_) return Err(KeyError{KeyErrorCode::kUnavailable, "the token is in another slot now"});
  return Err(KeyError{KeyErrorCode::kNotFound, fmt::format("no AES key in the token is labelled {}", label)});
}

KeyResult<TokenSession::Key> TokenSession::FindKey(const Module::Visit& visit, const std::string& label) {
  SYMBOLON_TRY(const CK_OBJECT_HANDLE handle, FindObject(visit, label));
  CK_ULONG size = 0;
  CK_ATTRIBUTE attribute = Attribute(CKA_VALUE_LEN, &size, sizeof(size));
  const CK_RV read = visit->C_GetAttributeValue(*session_, handle, &attribute, 1);
  if (read != CKR_OK) return Err(Failed("C_GetAttributeValue", read));
  if (size != kKeyBytes) {
    return Err(
        KeyError{KeyErrorCode::kNotFound, fmt::format("the key labelled {} has {} bits, not 256", label, size * 8)});
  }
  SYMBOLON_TRY_VOID(CheckStaysInside(visit, handle, label));
  SYMBOLON_TRY(const bool encrypts, ReadFlag(visit, handle, CKA_ENCRYPT, true));
  SYMBOLON_TRY(const bool decrypts, ReadFlag(visit, handle, CKA_DECRYPT, true));
  return Key{.handle = handle, .enabled = encrypts && decrypts};
}

KeyResult<CK_OBJECT_HANDLE> TokenSession::FindEnabledKey(const Module::Visit& visit, const std::string& label) {
  SYMBOLON_TRY(const Key key, FindKey(visit, label));
  if (key.enabled) return key.handle;
  return Err(KeyError{KeyErrorCode::kDisabled,
                      fmt::format("CKA_ENCRYPT or CKA_DECRYPT of the key labelled {} is false", label)});
}

KeyResult<bool> TokenSession::IsEnabled(const std::string& label) {
  return Try<bool>([&](const Module::Visit& visit) -> KeyResult<bool> {
    SYMBOLON_TRY(const Key key, FindKey(visit, label));
    return key.enabled;
  });
}

// ---- cryptography ----

KeyResult<Bytes> TokenSession::EncryptWith(const Module::Visit& visit, CK_OBJECT_HANDLE key, Bytes& iv,
                                           BytesView additional_data, BytesView plaintext) {
  CK_GCM_PARAMS parameters = GcmParameters(iv, additional_data);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
  const CK_RV begun = visit->C_EncryptInit(*session_, &mechanism, key);
  if (auto verdict = Verdict(begun)) return Err(*std::move(verdict));
  if (begun != CKR_OK) return Err(Failed("C_EncryptInit", begun));
  Bytes ciphertext(plaintext.size() + kGcmTagBytes, '\0');
  CK_ULONG size = ciphertext.size();
  const CK_RV done = visit->C_Encrypt(*session_, Octets(plaintext), plaintext.size(), Octets(ciphertext), &size);
  if (done != CKR_OK) return Err(Failed("C_Encrypt", done));
  if (size != ciphertext.size()) {
    return Err(
        KeyError{KeyErrorCode::kUnavailable, fmt::format("C_Encrypt: {} octets for {}", size, plaintext.size())});
  }
  return ciphertext;
}

KeyResult<Secret> TokenSession::DecryptWith(const Module::Visit& visit, CK_OBJECT_HANDLE key, BytesView iv,
                                            BytesView additional_data, BytesView ciphertext) {
  CK_GCM_PARAMS parameters = GcmParameters(iv, additional_data);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
  const CK_RV begun = visit->C_DecryptInit(*session_, &mechanism, key);
  if (auto verdict = Verdict(begun)) return Err(*std::move(verdict));
  if (begun != CKR_OK) return Err(Failed("C_DecryptInit", begun));
  // Some modules want room for the tag.
  Bytes plaintext(ciphertext.size(), '\0');
  CK_ULONG size = plaintext.size();
  const CK_RV done = visit->C_Decrypt(*session_, Octets(ciphertext), ciphertext.size(), Octets(plaintext), &size);
  if (done == CKR_OK && size == ciphertext.size() - kGcmTagBytes) {
    Secret result = Secret::CopyOf(BytesView(plaintext).substr(0, size));
    Wipe(plaintext.data(), plaintext.size());
    return result;
  }
  Wipe(plaintext.data(), plaintext.size());
  // Modules do not agree on how they say that a tag is wrong. If the key works otherwise, it is.
  if (done == CKR_OK || done == CKR_ENCRYPTED_DATA_INVALID || Works(visit, key)) {
    return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "altered, or with another encryption context or key"});
  }
  return Err(Failed("C_Decrypt", done));
}

bool TokenSession::Works(const Module::Visit& visit, CK_OBJECT_HANDLE key) {
  constexpr std::string_view kProbe = "symbolon probe";
  Bytes iv = random_.Octets(kGcmIvBytes);
  const auto ciphertext = EncryptWith(visit, key, iv, "", kProbe);
  if (!ciphertext) return false;
  CK_GCM_PARAMS parameters = GcmParameters(iv, "");
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
  Bytes plaintext(ciphertext->size(), '\0');
  CK_ULONG size = plaintext.size();
  return visit->C_DecryptInit(*session_, &mechanism, key) == CKR_OK &&
         visit->C_Decrypt(*session_, Octets(*ciphertext), ciphertext->size(), Octets(plaintext), &size) == CKR_OK &&
         BytesView(plaintext).substr(0, size) == kProbe;
}

KeyResult<Bytes> TokenSession::Encrypt(const std::string& label, Bytes& iv, BytesView additional_data,
                                       BytesView plaintext) {
  return Try<Bytes>([&](const Module::Visit& visit) -> KeyResult<Bytes> {
    SYMBOLON_TRY(const CK_OBJECT_HANDLE key, FindEnabledKey(visit, label));
    return EncryptWith(visit, key, iv, additional_data, plaintext);
  });
}

KeyResult<Secret> TokenSession::Decrypt(const std::string& label, BytesView iv, BytesView additional_data,
                                        BytesView ciphertext) {
  return Try<Secret>([&](const Module::Visit& visit) -> KeyResult<Secret> {
    SYMBOLON_TRY(const CK_OBJECT_HANDLE key, FindEnabledKey(visit, label));
    return DecryptWith(visit, key, iv, additional_data, ciphertext);
  });
}

}  // namespace symbolon::keys::pkcs11
