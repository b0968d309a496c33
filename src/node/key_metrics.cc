#include "node/key_metrics.h"

#include <array>

#include "base/log.h"
#include "directory/record_types.h"
#include "directory/records.pb.h"
#include "keys/wrapped_pool_keys.h"
#include "node/metric_family.h"

namespace symbolon::node {
namespace {

using keys::KeyErrorCode;

// Why a pool may be locked; one whose key is not found is lost.
constexpr std::array kLockReasons = {KeyErrorCode::kDisabled,     KeyErrorCode::kPendingDeletion,
                                     KeyErrorCode::kAccessDenied, KeyErrorCode::kUnavailable,
                                     KeyErrorCode::kRemoved,      KeyErrorCode::kInvalidCiphertext};

std::optional<Bytes> RecordOf(const storage::Snapshot& snapshot, const PoolId& pool, directory::RecordType type) {
  auto record = snapshot.Get(
      {.space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = {}});
  return record ? *std::move(record) : std::nullopt;
}

// Of the data key that seals; nullopt: not noted.
std::optional<std::chrono::nanoseconds> DataKeyAge(BytesView wrapped, Timestamp now) {
  const auto contents = keys::ContentsOfPoolKeys(wrapped);
  if (!contents) return std::nullopt;
  for (const auto& generation : contents->generations) {
    if (generation.name == contents->sealing_generation && generation.created) return now - *generation.created;
  }
  return std::nullopt;
}

}  // namespace

std::string_view NameOf(KeyErrorCode code) {
  switch (code) {
    case KeyErrorCode::kNotFound:
      return "not_found";
    case KeyErrorCode::kDisabled:
      return "disabled";
    case KeyErrorCode::kPendingDeletion:
      return "pending_deletion";
    case KeyErrorCode::kAccessDenied:
      return "access_denied";
    case KeyErrorCode::kUnavailable:
      return "unavailable";
    case KeyErrorCode::kRemoved:
      return "removed";
    case KeyErrorCode::kInvalidCiphertext:
      return "invalid_ciphertext";
  }
  return "";
}

void ReadKeys(storage::Store& store, const keys::Keyring& keyring, const key_life::Reencryption& reencryption,
              Timestamp now, Metrics::Readings::Keys& readings) {
  auto locked = keyring.LockedPools();
  readings.lost = locked[KeyErrorCode::kNotFound];
  for (const KeyErrorCode reason : kLockReasons) readings.locked[std::string(NameOf(reason))] = locked[reason];

  const auto snapshot = store.MakeSnapshot();
  const auto pools = snapshot->Pools(std::nullopt, Metrics::kPoolsMax);
  if (!pools) return;
  for (const PoolId& pool : *pools) {
    const auto wrapped = RecordOf(*snapshot, pool, directory::RecordType::kWrappedKeys);
    const auto age = wrapped ? DataKeyAge(*wrapped, now) : std::nullopt;
    if (age) readings.data_keys.push_back({.pool = pool, .age = *age});
    const auto stored = RecordOf(*snapshot, pool, directory::RecordType::kReencryption);
    directory::pb::ReencryptionRecord record;
    const bool under_way =
        stored && record.ParseFromString(*stored) && record.state() != directory::pb::ReencryptionRecord::DONE;
    if (!under_way) continue;
    readings.reencryptions.push_back({.pool = pool,
                                      .records_done = record.records_done(),
                                      .records_expected = record.records_total(),
                                      .records_per_second = record.records_per_second(),
                                      .waits = !reencryption.ProblemOf(pool).empty()});
  }
}

void AddKeys(const Metrics::Readings::Keys& readings, std::vector<MetricFamily>& families) {
  ReadFamily locked = Gauge("symbolon_pools_locked", "Pools that are locked here because of their KMS key, by reason");
  for (const auto& [reason, count] : readings.locked) locked.Add(static_cast<double>(count), {{"reason", reason}});
  families.push_back(locked.Take());
  families.push_back(Gauge("symbolon_pools_lost", "Pools whose KMS key does not exist here: deleted, or missing")
                         .Add(static_cast<double>(readings.lost))
                         .Take());
  ReadFamily age = Gauge("symbolon_data_key_age_seconds", "Age of the data key that seals the pool's records");
  for (const auto& key : readings.data_keys) age.Add(Seconds(key.age), {{"pool", key.pool.value()}});
  families.push_back(age.Take());
  ReadFamily done = Gauge("symbolon_reencryption_records_done", "Records that a re-encryption under way has looked at");
  ReadFamily expected = Gauge("symbolon_reencryption_records_expected", "How many they are in all, about");
  ReadFamily rate = Gauge("symbolon_reencryption_records_per_second", "How many of them lately");
  ReadFamily waits =
      Gauge("symbolon_reencryption_waiting", "1 while it waits for something that DescribeReencryption names");
  for (const auto& job : readings.reencryptions) {
    const Labels labels = {{"pool", job.pool.value()}};
    done.Add(static_cast<double>(job.records_done), labels);
    expected.Add(static_cast<double>(job.records_expected), labels);
    rate.Add(job.records_per_second, labels);
    waits.Add(job.waits ? 1 : 0, labels);
  }
  ReadFamily untold =
      Gauge("symbolon_kms_keys_untold",
            "Multi-Region keys with their primary here whose newest state the Region has not confirmed");
  for (const auto& [region, count] : readings.untold) untold.Add(static_cast<double>(count), {{"region", region}});
  for (ReadFamily* family : {&done, &expected, &rate, &waits, &untold}) families.push_back(family->Take());
}

template <class Call>
auto MeteredKeyProvider::Metered(std::string_view operation, std::string_view key_arn, Call&& call) {
  const auto began = clock_.SinceBoot();
  auto result = call();
  metrics_.CountKeyCall(provider_.Serving(key_arn).name(), operation, result ? "ok" : NameOf(result.error().code),
                        clock_.SinceBoot() - began);
  return result;
}

keys::KeyResult<Bytes> MeteredKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                           const keys::EncryptionContext& context) {
  return Metered("GenerateDataKeyWithoutPlaintext", key_arn,
                 [&] { return provider_.GenerateDataKeyWithoutPlaintext(key_arn, context); });
}

keys::KeyResult<Bytes> MeteredKeyProvider::Encrypt(std::string_view key_arn, const keys::EncryptionContext& context,
                                                   BytesView plaintext) {
  return Metered("Encrypt", key_arn, [&] { return provider_.Encrypt(key_arn, context, plaintext); });
}

keys::KeyResult<Secret> MeteredKeyProvider::Decrypt(std::string_view key_arn, const keys::EncryptionContext& context,
                                                    BytesView ciphertext) {
  return Metered("Decrypt", key_arn, [&] { return provider_.Decrypt(key_arn, context, ciphertext); });
}

keys::KeyResult<keys::KeyDescription> MeteredKeyProvider::DescribeKey(std::string_view key_arn) {
  return Metered("DescribeKey", key_arn, [&] { return provider_.DescribeKey(key_arn); });
}

}  // namespace symbolon::node
