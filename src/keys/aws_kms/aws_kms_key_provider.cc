#include "keys/aws_kms/aws_kms_key_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace symbolon::keys::aws_kms {
namespace {

namespace json = boost::json;

// Of the API (CiphertextType).
constexpr std::size_t kCiphertextBytesMax = 6144;

std::string JsonText(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

// {"KeyId":…,"EncryptionContext":{…},"<member>":"<octets in Base64>"}; without the last if `member` is empty.
Secret RequestOf(std::string_view key_arn, const EncryptionContext& context, std::string_view member,
                 BytesView octets) {
  Bytes text = "{\"KeyId\":" + JsonText(key_arn);
  if (!context.empty()) {
    text += ",\"EncryptionContext\":{";
    for (const auto& [name, value] : context) {
      if (text.back() != '{') text += ',';
      text += JsonText(name) + ":" + JsonText(value);
    }
    text += "}";
  }
  const Secret encoded(Base64Encode(octets));
  text.reserve(text.size() + member.size() + encoded.size() + 16);  // No copies are left behind.
  if (!member.empty()) {
    text += ",\"";
    text += member;
    text += "\":\"";
    text += encoded.view();
    text += '"';
  }
  text += '}';
  return Secret(std::move(text));
}

std::string_view TextOf(const json::object& object, std::string_view member) {
  const json::value* const value = object.if_contains(member);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

bool FlagOf(const json::object& object, std::string_view member) {
  const json::value* const value = object.if_contains(member);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object* ObjectOf(const json::object& object, std::string_view member) {
  const json::value* const value = object.if_contains(member);
  return value == nullptr ? nullptr : value->if_object();
}

KeyState StateOf(std::string_view state) {
  if (state == "Enabled") return KeyState::kEnabled;
  if (state == "Updating") return KeyState::kUpdating;
  if (state == "PendingImport") return KeyState::kPendingImport;
  if (state == "PendingDeletion") return KeyState::kPendingDeletion;
  if (state == "PendingReplicaDeletion") return KeyState::kPendingReplicaDeletion;
  return KeyState::kDisabled;  // Disabled, Creating, Unavailable
}

void ReadRegions(const json::object& metadata, KeyDescription& description) {
  const json::object* const configuration = ObjectOf(metadata, "MultiRegionConfiguration");
  if (configuration == nullptr) return;
  if (const json::object* const primary = ObjectOf(*configuration, "PrimaryKey")) {
    description.primary = Region(std::string(TextOf(*primary, "Region")));
  }
  const json::value* const replicas = configuration->if_contains("ReplicaKeys");
  if (replicas == nullptr || !replicas->is_array()) return;
  for (const json::value& replica : replicas->get_array()) {
    if (replica.is_object()) description.replicas.emplace_back(std::string(TextOf(replica.get_object(), "Region")));
  }
  std::ranges::sort(description.replicas);
}

bool IsSymmetric(const json::object& metadata) {
  return TextOf(metadata, "KeySpec") == "SYMMETRIC_DEFAULT" && TextOf(metadata, "KeyUsage") == "ENCRYPT_DECRYPT";
}

}  // namespace

AwsKmsKeyProvider::AwsKmsKeyProvider(Options options, Clock& clock, Random& random)
    : region_(std::move(options.region)),
      accounts_(std::move(options.accounts)),
      client_(std::move(options.client), clock, random) {}

bool AwsKmsKeyProvider::Serves(const KeyArn& arn) const {
  return arn.region == region_ && std::ranges::find(accounts_, arn.account) != accounts_.end();
}

KeyResult<void> AwsKmsKeyProvider::Check(std::string_view key_arn) const {
  const auto arn = ParseKeyArn(key_arn);
  if (arn && Serves(*arn)) return {};
  return Err(KeyError{KeyErrorCode::kNotFound, "no key of the Region and accounts of [keys.aws_kms]"});
}

KeyResult<Bytes> AwsKmsKeyProvider::CallForCiphertext(std::string_view operation, const Secret& request) {
  Bytes ciphertext;
  SYMBOLON_TRY_VOID(client_.Call(operation, request, [&](const json::object& answer) {
    auto octets = Base64Decode(TextOf(answer, "CiphertextBlob"));
    if (!octets || octets->empty() || octets->size() > kCiphertextBytesMax) return false;
    ciphertext = *std::move(octets);
    return true;
  }));
  return ciphertext;
}

KeyResult<Bytes> AwsKmsKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                    const EncryptionContext& context) {
  SYMBOLON_TRY_VOID(Check(key_arn));
  Bytes request(RequestOf(key_arn, context, "", "").view());
  request.insert(1, fmt::format("\"NumberOfBytes\":{},", kDataKeyBytes));
  return CallForCiphertext("GenerateDataKeyWithoutPlaintext", Secret(std::move(request)));
}

KeyResult<Bytes> AwsKmsKeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                            BytesView plaintext) {
  SYMBOLON_CHECK(!plaintext.empty() && plaintext.size() <= kPlaintextBytesMax);
  SYMBOLON_TRY_VOID(Check(key_arn));
  return CallForCiphertext("Encrypt", RequestOf(key_arn, context, "Plaintext", plaintext));
}

KeyResult<Secret> AwsKmsKeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                             BytesView ciphertext) {
  SYMBOLON_TRY_VOID(Check(key_arn));
  if (ciphertext.empty() || ciphertext.size() > kCiphertextBytesMax) {
    return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "shorter or longer than any ciphertext"});
  }
  Secret plaintext;
  SYMBOLON_TRY_VOID(client_.Call("Decrypt", RequestOf(key_arn, context, "CiphertextBlob", ciphertext),
                                 [&](const json::object& answer) {
                                   // A ciphertext of another key that we may use is not one of this key.
                                   if (TextOf(answer, "KeyId") != key_arn) return false;
                                   auto octets = Base64Decode(TextOf(answer, "Plaintext"));
                                   if (!octets || octets->size() > kPlaintextBytesMax) return false;
                                   plaintext = Secret(*std::move(octets));
                                   return true;
                                 }));
  return plaintext;
}

KeyResult<KeyDescription> AwsKmsKeyProvider::DescribeKey(std::string_view key_arn) {
  SYMBOLON_TRY_VOID(Check(key_arn));
  KeyDescription description;
  bool symmetric = false;
  SYMBOLON_TRY_VOID(client_.Call("DescribeKey", RequestOf(key_arn, {}, "", ""), [&](const json::object& answer) {
    const json::object* const metadata = ObjectOf(answer, "KeyMetadata");
    if (metadata == nullptr || TextOf(*metadata, "Arn") != key_arn) return false;
    description.arn = key_arn;
    description.id = TextOf(*metadata, "KeyId");
    description.description = TextOf(*metadata, "Description");
    description.state = StateOf(TextOf(*metadata, "KeyState"));
    description.multi_region = FlagOf(*metadata, "MultiRegion");
    if (const json::value* const created = metadata->if_contains("CreationDate"); created && created->is_number()) {
      description.created = FromMicros(static_cast<std::int64_t>(created->to_number<double>() * 1e6));
    }
    ReadRegions(*metadata, description);
    symmetric = IsSymmetric(*metadata);
    return true;
  }));
  if (symmetric) return description;
  return Err(KeyError{KeyErrorCode::kNotFound, "not a key for symmetric encryption"});
}

}  // namespace symbolon::keys::aws_kms
