// The questions whether keys may still be used, in the audit trail: counted while the answer stays the same, in full
// when it changes.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "keys/audited_key_provider.h"

namespace symbolon::keys {

// Thread-safe. Every Decrypt is such a question. The first about a key, and every one that ends otherwise than the one
// before (it succeeds, or fails with another code), has a line of its own, durable before the answer, as of
// AuditedKeyProvider; those that follow and end alike are counted, and one line says how many there were, from when
// until when, and about which encryption contexts: when `interval` is over, before the line of another end, after
// kContextsMax contexts, and at the end. All else is AuditedKeyProvider's.
//
// Refused (kUnavailable) while the trail takes no lines, as with it. A process that is killed loses what it counted
// since the last line, `interval` at the most.
class AuditedProbes final : public KeyProvider {
 public:
  // All outlive this object. `audited` is the same provider. `interval` 0: every question has its line.
  AuditedProbes(KeyProvider& provider, AuditedKeyProvider& audited, audit::Trail& trail, Clock& clock,
                std::chrono::nanoseconds interval)
      : provider_(provider), audited_(audited), trail_(trail), clock_(clock), interval_(interval) {}
  ~AuditedProbes() override;

  std::string_view name() const override { return provider_.name(); }
  KeyProvider& Serving(std::string_view key_arn) override { return provider_.Serving(key_arn); }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                   const EncryptionContext& context) override {
    return audited_.GenerateDataKeyWithoutPlaintext(key_arn, context);
  }
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override {
    return audited_.Encrypt(key_arn, context, plaintext);
  }
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override { return audited_.DescribeKey(key_arn); }

  // To be called about once a second: writes the counts that are due. Blocks as the trail does.
  void Tick();

  static constexpr std::size_t kContextsMax = 200;

 private:
  // Of one key, since its last line.
  struct Series {
    std::chrono::nanoseconds since{};
    // How they end; nullopt: they succeed.
    std::optional<KeyErrorCode> failure;
    // Of the last.
    std::string detail;
    Timestamp first{};
    Timestamp last{};
    std::uint64_t count = 0;
    std::map<EncryptionContext, std::uint64_t> contexts;

    Series Next(std::chrono::nanoseconds now) const { return {.since = now, .failure = failure}; }
  };

  audit::AuditResult<void> Write(const std::string& key_arn, const Series& series);

  KeyProvider& provider_;
  AuditedKeyProvider& audited_;
  audit::Trail& trail_;
  Clock& clock_;
  const std::chrono::nanoseconds interval_;
  std::mutex mutex_;
  std::map<std::string, Series, std::less<>> series_;  // by key ARN; guarded by mutex_
};

}  // namespace symbolon::keys
