// The users of one simulated pool, as their clients see it, through the production plans of every Region; and what they
// are promised (architecture §8, promises 4, 5, 6 and 8).
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
// Identity provider.
inline constexpr const char* kProvider = "Partner";

// With passwords; one of them with an authenticator as well.
inline constexpr std::size_t kOwnPeople = 4;
inline constexpr std::size_t kWithAuthenticator = 3;

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
    std::function<SimRegion&(const Region&)> region;
    // Of the pool, as the Region's disk has it; nullopt: it does not.
    std::function<std::optional<Bytes>(const Region&)> durable_head;
    Plant plant = Plant::kNone;
  };
  // The pool outlives this object.
  People(PoolModel& pool, World world);

  // What a new pool has beside its role record: signing keys, app clients, an identity provider, users. Sealed by the
  // Region's keys.
  std::vector<storage::Change> MakeDirectory(SimRegion& region);

  // Somebody does something in this Region, or at the primary.
  void Act(SimRegion& region);
  // By its role the Region serves people of the pool.
  bool Serves(SimRegion& region) const;
  void SignIn(SimRegion& region);
  // What the Region's process does of its own accord: makes records of what is said of first sign-ins, if it leads.
  void Absorb(SimRegion& region);
  // The Region's store has changed.
  void OnNotice(const SimRegion& region, const storage::Notice& notice);
  // Empty: whoever is said in this Region, the primary, has a record.
  std::string Unabsorbed(SimRegion& region);
  // Empty, or what is wrong with the Region once everything is everywhere.
  void CheckAtEnd(SimRegion& region, const std::vector<SimRegion*>& others);

  std::uint64_t answers() const { return answers_; }
  // Sessions, authenticators' steps and authorization codes.
  std::uint64_t doubly_used() const { return doubly_used_; }
  std::uint64_t tokens_reused() const { return tokens_reused_; }
  std::uint64_t steps_used() const { return steps_used_; }
  std::uint64_t steps_refused() const { return steps_refused_; }
  std::uint64_t first_sign_ins_said() const { return first_sign_ins_said_; }
  std::uint64_t absorbed() const { return absorbed_; }
  std::uint64_t first_seen_ended() const { return first_seen_ended_; }

 private:
  struct Person {
    std::string name;
    Bytes key;
    // All that were ever tried; the last is the newest.
    std::vector<std::string> passwords = {};
    // Secrets that an authenticator app got, likewise.
    std::vector<Bytes> authenticators = {};
    // Entries in which a newer version left a field in the record that others do not know.
    std::vector<Bytes> marked_in = {};
    // Of somebody who comes from the identity provider: what they are called there, and here, once anybody knows. What
    // is said of their first sign-in has got an end.
    std::string subject = {};
    std::string sub = {};
    bool said_ends = false;
    bool is_stranger() const { return !subject.empty(); }
  };
  // Whatever somebody holds of one sign-in.
  struct SignedIn {
    std::size_t person = 0;
    std::string client;
    std::string access_token;
    std::string refresh_token;
    auth::pb::RefreshToken refresh;
  };
  // What may be used once.
  struct Once {
    std::string what;
    std::string id = {};
    // By Region and the store's incarnation: how often it was honoured.
    std::map<std::pair<Region, Bytes>, int> honoured = {};
  };
  // Of a challenge; or an authorization code, of a client.
  struct Session : Once {
    std::size_t person = 0;
    std::string client = {};
    std::string text = {};
    Timestamp expires_at = {};
    std::uint64_t token_generation = 0;
    auth::SignOuts sign_outs = {};
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
  void UseAccessToken(SimRegion& region);
  void CheckIssued(SimRegion& region, const std::string& access_token);

  // ---- one-time things (people_sessions.cc) ----
  void BeginSession(SimRegion& region);
  void UseSession(SimRegion& region);
  void UseSessionAt(SimRegion& region, const std::shared_ptr<Session>& session);
  // Once or twice at once; often in two Regions, where it may become tokens in each.
  void UseSomewhere(SimRegion& region, const std::function<void(SimRegion&)>& use);
  // It has become tokens here, or what it is good for.
  void Honoured(SimRegion& region, Once& thing);
  bool IsCurrent(SimRegion& region, const Served& served, const Session& session);

  // ---- authenticators (people_authenticators.cc) ----
  struct CodeAnswer;
  void NewAuthenticator();
  // What a right password of somebody with an authenticator led to.
  void KeepChallenge(SimRegion& region, const std::shared_ptr<Session>& session);
  void AnswerCode(SimRegion& region);
  void AnswerCodeAt(SimRegion& region, const std::shared_ptr<CodeAnswer>& given);
  void CheckCodeAnswer(SimRegion& region, const CodeAnswer& given, const Served& served,
                       const auth::AuthResult<auth::SignInStep>& said);
  // The steps that a code is right for at this time, and what stands for one of them.
  static std::vector<std::uint64_t> StepsOf(const Bytes& secret, const std::string& code, Timestamp now);
  std::shared_ptr<Once> StepOf(const Bytes& secret, std::uint64_t step);

  // ---- people of an identity provider (people_federated.cc) ----
  void SignInAtProvider(SimRegion& region);
  void UseCode(SimRegion& region);
  void UseCodeAt(SimRegion& region, const std::shared_ptr<Session>& code);
  std::size_t NewStranger(SimRegion& region);
  void AbsorbOne(SimRegion& region, const Bytes& subject);
  bool EverybodyHas(SimRegion& region, const directory::Transaction& tx, const Bytes& subject);
  bool Leads(SimRegion& region, const auth::Context& context) const;
  // Said in this Region for the first time.
  void OnFirstSeen(const Region& at, const storage::pb::FactEntry& entry);
  bool HasRecord(const Region& region, std::size_t person) const;
  std::optional<directory::pb::UserRecord> StrangerAt(SimRegion& region, const Sight& saw, std::size_t person);
  Bytes FirstSeenAbout(std::size_t person) const;

  // ---- what must come of it (people.cc) ----
  std::size_t Anybody() { return world_.dice.Below(people_.size()); }
  // With a password.
  std::size_t AnyOwn();
  // nullopt: somebody from the identity provider of whom the Region has no record, and has not heard.
  std::optional<directory::pb::UserRecord> KnownAt(SimRegion& region, const Sight& saw, std::size_t person);
  directory::pb::UserRecord UserAt(SimRegion& region, const Sight& saw, std::size_t person);
  directory::pb::ClientRecord ClientAt(SimRegion& region, const Served& served, const std::string& client);
  std::optional<storage::pb::FactValue> FactAt(SimRegion& region, const storage::pb::FactVector& facts,
                                               auth::FactType type, BytesView about) const;
  FamilyFacts FamilyAt(SimRegion& region, const storage::pb::FactVector& facts, const std::string& family) const;
  bool LockedAt(SimRegion& region, const Served& served, std::size_t person) const;
  bool SignedOutAt(SimRegion& region, const storage::pb::FactVector& facts, std::size_t person,
                   const auth::SignOuts& known) const;
  bool DisabledAt(SimRegion& region, const storage::pb::FactVector& facts, const directory::pb::UserRecord& user) const;
  // Tells the model of facts that were answered.
  void OnCommitted(SimRegion& region, const Served& served);
  // The same, of what somebody was answered.
  void OnServed(SimRegion& region, const Served& served);
  // Answers the family.
  std::string Keep(std::size_t person, const std::string& client, const auth::Tokens& tokens, SimRegion& region);
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
  // That ask for an authenticator's code.
  std::vector<std::shared_ptr<Session>> challenges_;
  // Of sign-ins at the identity provider.
  std::vector<std::shared_ptr<Session>> codes_;
  // By secret and number: of authenticators' codes that were ever right.
  std::map<std::pair<Bytes, std::uint64_t>, std::shared_ptr<Once>> steps_;
  // All of these.
  std::vector<std::shared_ptr<Once>> once_;
  // By key of the fact that speaks of their first sign-in.
  std::map<Bytes, std::size_t> strangers_;
  // When first sign-ins were last looked at in a Region, and by which process; something new is said there.
  struct Visit {
    std::uint64_t life = 0;
    nanoseconds at{};
    bool changed = false;
    // At which head of this epoch what is said was first found settled, by subject.
    storage::pb::Epoch epoch = {};
    std::map<Bytes, std::uint64_t> settled_at = {};
  };
  std::map<Region, Visit> visits_;
  std::vector<Change> changes_;
  // All that were ever asked for.
  std::vector<std::string> secrets_;
  // How often a generation of a family's refresh token was redeemed, by Region and the store's incarnation.
  std::map<std::tuple<std::string, std::uint32_t, Region, Bytes>, int> redeemed_;
  std::uint64_t serial_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t doubly_used_ = 0;
  std::uint64_t tokens_reused_ = 0;
  std::uint64_t steps_used_ = 0;
  std::uint64_t steps_refused_ = 0;
  std::uint64_t first_sign_ins_said_ = 0;
  std::uint64_t absorbed_ = 0;
  std::uint64_t first_seen_ended_ = 0;
};

}  // namespace symbolon::simulation
