// For tests: the JSON APIs of one Region, on a store in memory and a key service of its own, called as the network
// calls them: with octets, signed or not.
#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/temporary_directory.h"
#include "cognito/pipeline.h"
#include "cognito/services.h"
#include "directory/test_store.h"
#include "http/test_signer.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"

namespace symbolon::cognito {

class ApiRegion {
 public:
  // "eu-central-1" or "us-east-1": they know of each other.
  ApiRegion(std::string_view name, Clock& clock, bool forward_writes = false);

  struct Answer {
    int status = 0;
    http::Headers headers;
    boost::json::value body;

    // "" for success, else "ResourceNotFoundException: User pool ...".
    std::string error() const;
    // By JSON pointer, "/UserPool/Id"; null where there is none.
    boost::json::value at(std::string_view pointer) const;
    std::string text(std::string_view pointer) const;
  };

  // By an administrator, signed; of Cognito, or in full ("SymbolonService.DescribeReplication").
  Answer Call(std::string_view operation, const boost::json::value& request);
  // The same for a body that need not be JSON.
  Answer CallWith(std::string_view operation, std::string_view body);
  Answer CallUnsigned(std::string_view operation, const boost::json::value& request);
  // Side by side, by administrators.
  std::vector<Answer> CallTogether(
      const std::vector<std::pair<std::string_view, boost::json::value>>& operations_and_requests);

  // For requests that these do not make.
  http::Request Request(std::string_view operation, std::string_view body) const;
  void Sign(http::Request& request) const { signer_.Sign(request, clock_.Now()); }
  // By a user with these identity policies instead of an administrator.
  Answer CallAs(const std::string& user, const std::vector<std::string>& policies, std::string_view operation,
                const boost::json::value& request);
  Answer Send(http::Request request) { return SendTogether({std::move(request)}).front(); }
  // As the node would take it from another Region.
  replication::ControlResult<http::Response> TakeForwarded(const Region& from, const PoolId& pool,
                                                           http::Request request);
  std::vector<Answer> SendTogether(std::vector<http::Request> requests);

  // A pool of default settings, and a client of it; `settings` come on top.
  PoolId CreatePool(boost::json::object settings = {});
  std::string CreateClient(const PoolId& pool, boost::json::object settings = {});

  // A multi-Region key of this Region with a replica in `other`: its ARN here.
  std::string CreateSharedKey(ApiRegion& other);
  // Takes the pool from `other` as it is now.
  void CopyPool(ApiRegion& other, const PoolId& pool);
  void SetVerifier(replication::Verifier& verifier);
  void SetPromotion(Promote promote);
  void SetAudit(audit::Trail& trail);
  // The state of a member in the pool's role record here, as replication would change it.
  void SetMemberState(const PoolId& pool, std::string_view member, replication::pb::MemberState state);
  void ChangeRole(const PoolId& pool, const std::function<void(replication::pb::RoleRecord&)>& change);

  Services services();
  directory::TestStore& store() { return store_; }
  // As the replication machine would drive them.
  replication::DurabilityGate& durability() { return durability_; }
  replication::PositionGate& positions() { return positions_; }
  replication::WriteGate& write_gate() { return write_gate_; }
  keys::local::LocalKeyProvider& key_service() { return *key_service_; }
  keys::Keyring& keyring() { return *keyring_; }
  // Asks about the KMS keys that are due, and waits for what follows.
  void TickKeys() {
    keyring_->Tick();
    keyring_->WaitUntilAsked();
  }
  replication::SuffixFolder& suffixes() { return suffixes_; }
  const directory::RegionSettings& settings() const { return settings_; }

  // What was observed last, of each operation.
  std::map<std::string, std::string, std::less<>> outcomes;
  std::size_t last_unknown_members = 0;
  ForwardRequest forward;
  // What this Region asks others about pools' keys, and what it answers them.
  key_life::AskRegion ask_about_keys;
  replication::ControlResult<Bytes> AnswerAboutKeys(const Region& from, const Bytes& request);
  key_life::Reencryption& reencryption() { return *reencryption_; }
  key_life::Shredding& shredding() { return *shredding_; }
  // What this Region asks others about erasures, and its part in them.
  key_life::AskRegion ask_about_erasures;
  erasure::RegionErasures& erasures_here() { return *erasures_here_; }
  erasure::Erasures& erasures() { return *erasures_; }
  key_life::KeyChanges& key_changes() { return *key_changes_; }
  std::vector<replication::ForwardOutcome> forwarded;
  KeyServiceCall call_key_service;
  // What is said of a customer managed key that a pool shall have; the same to other Regions ("" allows it).
  model::ApiResult<void> key_refusal;
  std::string refusal_of_keys;

 private:
  class Users;
  class Observed;

  Clock& clock_;
  const bool forward_writes_;
  replication::Verifier* verifier_ = nullptr;
  Promote promote_;
  audit::Trail* audit_ = nullptr;
  directory::RegionSettings settings_;
  directory::TestStore store_;
  replication::DurabilityGate durability_{std::chrono::seconds(2)};
  replication::DurableCommits commits_{store_.store(), &durability_};
  replication::PositionGate positions_{store_.store()};
  replication::WriteGate write_gate_{std::chrono::seconds(4)};
  TemporaryDirectory directory_;
  replication::SuffixFolder suffixes_{directory_.path() / "set_aside", keys::kWrappedKeysRecordType};
  std::unique_ptr<keys::local::LocalKeyProvider> key_service_;
  std::optional<keys::Keyring> keyring_;
  std::unique_ptr<directory::Routes> routes_;
  directory::RecordCache records_;
  std::shared_ptr<Users> users_;
  http::SigV4Verifier signatures_;
  auth::AccessTokenVerifier access_tokens_;
  auth::TokenSigner token_signer_;
  crypto::RsaReservoir rsa_keys_;
  http::BlockingPool blocking_{2, 64};
  std::unique_ptr<Observer> observer_;
  http::TestSigner signer_;
  std::unique_ptr<storage::Subscription> key_notices_;
  std::optional<key_life::Services> key_life_;
  std::optional<key_life::KeyChanges> key_changes_;
  std::optional<key_life::Reencryption> reencryption_;
  std::optional<key_life::Shredding> shredding_;
  std::optional<erasure::RegionErasures> erasures_here_;
  std::optional<erasure::Erasures> erasures_;
  std::optional<Pipeline> pipeline_;
};

}  // namespace symbolon::cognito
