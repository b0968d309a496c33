// For tests that need a real key provider: one in a directory that goes with it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "crypto/random.h"
#include "keys/local/local_key_provider.h"

namespace symbolon::keys::local {

inline constexpr const char* kTestAccount = "000000000000";

inline LocalKeyResult<std::unique_ptr<LocalKeyProvider>> OpenTestProvider(const std::filesystem::path& directory,
                                                                          const Region& region, Clock& clock) {
  return LocalKeyProvider::Open({.directory = directory, .region = region, .account = kTestAccount}, clock,
                                crypto::SystemRandom());
}

// Providers of several Regions, joined without a network. Not thread-safe.
class DirectTransport final : public KeyReplicationTransport {
 public:
  // One for each Region that asks, which is what a link authenticates.
  explicit DirectTransport(Region sender) : sender_(std::move(sender)) {}

  std::map<Region, LocalKeyProvider*> regions;
  std::set<Region> cut;                         // not reached
  std::optional<LocalKeyError> answer_is_lost;  // the target took it
  std::function<void(ReplicaKey&)> alter = [](ReplicaKey&) {};
  std::vector<ReplicaKey> sent;

  LocalKeyResult<Bytes> TransportPublicKey(const Region& target) override {
    if (!regions.contains(target)) return Err(LocalKeyError{LocalKeyErrorCode::kUnknownRegion, target.value()});
    if (cut.contains(target)) return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, "cut"});
    return regions[target]->TransportPublicKey();
  }
  LocalKeyResult<void> ImportReplica(const Region& target, const ReplicaKey& key) override {
    if (cut.contains(target)) return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, "cut"});
    ReplicaKey arriving = key;
    arriving.sender = sender_;
    alter(arriving);
    sent.push_back(arriving);
    SYMBOLON_TRY_VOID(regions[target]->AcceptReplica(arriving));
    if (answer_is_lost) return Err(*answer_is_lost);
    return {};
  }
  LocalKeyResult<void> AnnounceDeletion(const Region& primary, const std::string& key_id) override {
    if (cut.contains(primary)) return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, "cut"});
    return regions[primary]->ForgetReplica(key_id, sender_);
  }

 private:
  const Region sender_;
};

}  // namespace symbolon::keys::local
