// The users of one simulated pool, as their clients see it, through the production plans of every Region; and what they
// are promised (architecture §8, promises 4, 5 and 8).
//
// What each answer must be is worked out anew from two things that plans do not use: the directory at the entry that
// was the Region's head (PoolModel), and the facts that the Region's vector covers (FactsModel).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/fact_types.h"
#include "auth/sign_in.h"
#include "model.h"
#include "plan_runner.h"
#include "region.h"
#include "trace.h"

namespace symbolon::simulation {

// Stands in every name and secret, and must never be readable in a store, a copy or a frame.
inline constexpr std::string_view kPlainText = "plain-text-that-nobody-may-read";

// App clients: of people, with refresh tokens that last or that rotate; and of a machine with a secret.
inline constexpr const char* kClient = "client";
inline constexpr const char* kRotatingClient = "rotating";
inline constexpr const char* kMachine = "machine";

class People {
 public:
  struct World {
    Scheduler& scheduler;
    Dice& dice;
    Trace& trace;
    std::function<void(const std::string&)> fail;
    // A Region that takes itself for the primary; nullptr: there is none.
    std::function<SimRegion*()> primary;
    std::function<SimRegion&()> any_region;
    Plant plant = Plant::kNone;
  };
  // The pool outlives this object.
  People(PoolModel& pool, World world);

  // What a new pool has beside its role record: signing keys, two app clients, users. Sealed by the Region's keys.
  std::vector<storage::Change> MakeDirectory(SimRegion& region);

  // Somebody does something in this Region, or at the primary.
  void Act(SimRegion& region);
  // By its role the Region serves people of the pool.
  bool Serves(SimRegion& region) const;
  void SignIn(SimRegion& region);
  // Empty, or what is wrong with the Region once everything is everywhere.
  void CheckAtEnd(SimRegion& region, const std::vector<SimRegion*>& others);

  std::uint64_t answers() const { return answers_; }
  std::uint64_t sessions_doubly_used() const { return sessions_doubly_used_; }
  std::uint64_t tokens_reused() const { return tokens_reused_; }

 private:
  struct Person {
    std::string name;
    Bytes key;
    // All that were ever tried; the last is the newest.
    std::vector<std::string> passwords;
    // Entries in which a newer version left a field in the record that others do not know.
    std::vector<Bytes> marked_in;
  };
  // Whatever somebody holds of one sign-in.
  struct SignedIn {
    std::size_t person = 0;
    std::string client;
    std::string access_token;
    std::string refresh_token;
    auth::pb::RefreshToken refresh;
  };
  struct Session {
    std::size_t person = 0;
    std::string text;
    std::string id;
    std::uint64_t token_generation = 0;
    auth::SignOuts sign_outs;
    // By Region and the store's incarnation: how often it became tokens.
    std::map<std::pair<Region, Bytes>, int> honoured;
  };
  // An acknowledged change of a password.
  struct Change {
    storage::pb::Position position;
    Bytes digest;
  };
  // What facts say, by the model.
  struct FamilyFacts {
    bool used = false;
    bool revoked = false;
  };

  // ---- what people do (people_acts.cc) ----
  void SignInFromPosition(SimRegion& region);
  void TryPassword(SimRegion& region, std::size_t person, const std::string& password);
  void ChangePassword();
  void ChangeSecret();
  void ProveSecret(SimRegion& region);
  void Refresh(SimRegion& region);
  void Revoke(SimRegion& region);
  void SignOut(SimRegion& region);
  void Disable(SimRegion& region);
  void Enable(SimRegion& region);
  void BeginSession(SimRegion& region);
  void UseSession(SimRegion& region);
  void UseSessionAt(SimRegion& region, const std::shared_ptr<Session>& session);
  void UseAccessToken(SimRegion& region);
  void CheckIssued(SimRegion& region, const std::string& access_token);

  // ---- what must come of it (people.cc) ----
  directory::pb::UserRecord UserAt(SimRegion& region, const Served& served, std::size_t person);
  directory::pb::ClientRecord ClientAt(SimRegion& region, const Served& served, const std::string& client);
  std::optional<storage::pb::FactValue> FactAt(SimRegion& region, const storage::pb::FactVector& facts,
                                               auth::FactType type, BytesView about) const;
  FamilyFacts FamilyAt(SimRegion& region, const storage::pb::FactVector& facts, const std::string& family) const;
  bool LockedAt(SimRegion& region, const Served& served, std::size_t person) const;
  bool SignedOutAt(SimRegion& region, const storage::pb::FactVector& facts, std::size_t person,
                   const auth::SignOuts& known) const;
  bool DisabledAt(SimRegion& region, const storage::pb::FactVector& facts, const directory::pb::UserRecord& user) const;
  // Tells the model of facts that were answered.
  void OnServed(SimRegion& region, const Served& served);
  void Keep(std::size_t person, const std::string& client, const auth::Tokens& tokens, SimRegion& region);
  template <class... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    world_.fail(fmt::format("pool {}: {}", pool_.id.value(), fmt::format(format, std::forward<Args>(args)...)));
  }

  PoolModel& pool_;
  const World world_;
  std::vector<Person> people_;
  // By salt and verifier.
  std::map<Bytes, std::string> passwords_;
  std::vector<SignedIn> signed_in_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::vector<Change> changes_;
  // All that were ever asked for.
  std::vector<std::string> secrets_;
  // How often a generation of a family's refresh token was redeemed, by Region and the store's incarnation.
  std::map<std::tuple<std::string, std::uint32_t, Region, Bytes>, int> redeemed_;
  std::uint64_t serial_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t sessions_doubly_used_ = 0;
  std::uint64_t tokens_reused_ = 0;
};

}  // namespace symbolon::simulation
