#include "cli/drill.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "cli/drill_probe.h"
#include "cli/region_apis.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;
using Kind = DrillAttempt::Kind;
using Outcome = DrillAttempt::Outcome;
using std::chrono::milliseconds;

constexpr milliseconds kTimeout(10'000);
constexpr milliseconds kSignInTimeout(2'000);
// Longer than a write waits at a primary that is changing.
constexpr milliseconds kWriteTimeout(6'000);
// Longer than the server's own waits together.
constexpr milliseconds kPromotionTimeout(40'000);
constexpr std::chrono::seconds kCatchUpPatience(30);
constexpr std::chrono::seconds kCleanUpPatience(20);
constexpr milliseconds kPause(50);
constexpr std::size_t kAttemptsMax = 20'000;
constexpr int kNotDone = 2;

volatile std::sig_atomic_t interrupted = 0;
void OnSignal(int) { interrupted = 1; }

// Notes SIGINT and SIGTERM instead of dying of them.
class SignalGuard {
 public:
  SignalGuard() {
    struct sigaction action{};
    action.sa_handler = OnSignal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before_int_);
    sigaction(SIGTERM, &action, &before_term_);
  }
  ~SignalGuard() {
    sigaction(SIGINT, &before_int_, nullptr);
    sigaction(SIGTERM, &before_term_, nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  struct sigaction before_int_{};
  struct sigaction before_term_{};
};

std::string Operation(std::string_view name) { return std::string(kCognitoPrefix) + std::string(name); }
std::string OwnOperation(std::string_view name) { return std::string(kOwnPrefix) + std::string(name); }

Outcome OutcomeOf(const ApiAnswer& answer) {
  if (answer.ok()) return Outcome::kDone;
  if (answer.error == "OperationNotEnabledException") return Outcome::kRefused;
  return answer.IsOpen() ? Outcome::kUnknown : Outcome::kFailed;
}

class Exercise {
 public:
  Exercise(const DrillFlags& flags, std::vector<ApiAccess> apis, Clock& clock, Random& random)
      : flags_(flags), apis_(std::move(apis)), clock_(clock), random_(random) {
    for (const ApiAccess& api : apis_) connections_[api.region] = std::make_unique<ApiConnection>(api, clock_);
  }

  CliResult<Drill> Run() {
    SYMBOLON_TRY_VOID(Plan());
    drill_.id = HexEncode(random_.Octets(4));
    drill_.pool = flags_.pool;
    drill_.started = clock_.Now();
    drill_.interval = milliseconds(flags_.interval_ms);
    for (const ApiAccess& api : apis_) drill_.regions.push_back(api.region);
    const SignalGuard guard;
    if (auto made = MakeClientAndUser(); !made) {
      CleanUp();
      made.error().exit_status = kNotDone;
      for (const std::string& name : drill_.left_behind) made.error().message += "\nplease remove by hand: " + name;
      return Err(std::move(made).error());
    }
    Rehearse();
    ReadBack();
    CleanUp();
    return std::move(drill_);
  }

 private:
  ApiAnswer Call(const std::string& region, const std::string& operation, json::object request,
                 milliseconds timeout = kTimeout) {
    request["UserPoolId"] = flags_.pool;
    return connections_.at(region)->Call(operation, json::serialize(request), timeout);
  }

  // ---- 1. is it fit? ----
  CliResult<std::vector<DrillRegionState>> Look() {
    std::vector<DrillRegionState> states;
    for (const ApiAccess& api : apis_) {
      const ApiAnswer answer = Call(api.region, OwnOperation("DescribeReplication"), {});
      // A Region that has no replica has no part in it.
      if (answer.error == "ResourceNotFoundException") continue;
      if (!answer.ok()) {
        return Fail(fmt::format(
            "the pool is not fit for a drill: {}{}", api.region,
            answer.status == 0 ? fmt::format(" does not answer ({})", answer.message) : ": " + answer.Complaint()));
      }
      SYMBOLON_TRY(DrillRegionState state, ParseRegionState(answer.body));
      states.push_back(std::move(state));
    }
    return states;
  }

  CliResult<void> Plan() {
    SYMBOLON_TRY(const std::vector<DrillRegionState> states, Look());
    SYMBOLON_TRY(plan_, PlanDrill(states, flags_.to));
    std::erase_if(apis_, [this](const ApiAccess& api) {
      return std::ranges::find(plan_.regions, api.region) == plan_.regions.end();
    });
    return {};
  }

  // ---- 2. what the probes need ----
  CliResult<void> MakeClientAndUser() {
    const ApiAnswer pool = Call(plan_.from, Operation("DescribeUserPool"), {});
    if (!pool.ok()) return Fail(pool.Complaint());
    SYMBOLON_TRY(user_, MakeDrillUser(pool.body, flags_.pool, drill_.id, random_));
    const ApiAnswer client =
        Call(plan_.from, Operation("CreateUserPoolClient"),
             {{"ClientName", "symbolon-drill-" + drill_.id}, {"ExplicitAuthFlows", {"ALLOW_USER_PASSWORD_AUTH"}}});
    if (!client.ok()) return Fail("an app client could not be made: " + client.Complaint());
    client_id_ = json::parse(client.body).at("UserPoolClient").at("ClientId").as_string().c_str();
    user_may_exist_ = true;
    const ApiAnswer made = connections_.at(plan_.from)->Call(Operation("AdminCreateUser"), user_.create_json, kTimeout);
    if (!made.ok()) return Fail("a user could not be made: " + made.Complaint());
    const ApiAnswer set = Call(plan_.from, Operation("AdminSetUserPassword"),
                               {{"Username", user_.username}, {"Password", user_.password}, {"Permanent", true}});
    if (!set.ok()) return Fail("the user's password could not be set: " + set.Complaint());
    return AwaitSignIns();
  }

  json::object SignInRequest() const {
    return {{"AuthFlow", "USER_PASSWORD_AUTH"},
            {"ClientId", client_id_},
            {"AuthParameters", {{"USERNAME", user_.username}, {"PASSWORD", user_.password}}}};
  }

  // The user is known in every Region.
  CliResult<void> AwaitSignIns() {
    const auto until = std::chrono::steady_clock::now() + kCatchUpPatience;
    for (const ApiAccess& api : apis_) {
      while (true) {
        const ApiAnswer answer =
            connections_.at(api.region)
                ->CallUnsigned(Operation("InitiateAuth"), json::serialize(SignInRequest()), kTimeout);
        if (answer.ok()) break;
        if (interrupted != 0) return Fail("interrupted");
        if (std::chrono::steady_clock::now() > until) {
          return Fail(fmt::format("the drill's user cannot sign in in {}: {}", api.region, answer.Complaint()));
        }
        std::this_thread::sleep_for(kPause);
      }
    }
    return {};
  }

  // ---- 3. there and back ----
  void Rehearse() {
    DrillLog log(std::chrono::steady_clock::now());
    {
      std::vector<std::unique_ptr<DrillProbe>> probes;
      for (const ApiAccess& api : apis_) {
        probes.push_back(MakeProbe(log, api, [this](ApiConnection& api_of, std::size_t) { return SignIn(api_of); }));
        probes.push_back(MakeProbe(log, api, [this, region = api.region](ApiConnection& api_of, std::size_t number) {
          return Write(api_of, fmt::format("symbolon-drill-{}-{}-{}", drill_.id, region, number));
        }));
      }
      Settle();
      if (interrupted == 0 && Promote(log, plan_.from, plan_.to)) Settle();
      // The system is left as it was found, whatever happened meanwhile.
      if (IsPrimary(plan_.to)) Promote(log, plan_.to, plan_.from);
      drill_.is_back = IsPrimary(plan_.from);
      Settle();
    }
    drill_.duration = log.Now();
    drill_.attempts = log.Take();
    if (interrupted != 0) drill_.problem = "interrupted";
  }

  template <class Attempt>
  std::unique_ptr<DrillProbe> MakeProbe(DrillLog& log, const ApiAccess& api, Attempt attempt) {
    auto connection = std::make_shared<ApiConnection>(api, clock_);
    return std::make_unique<DrillProbe>(log, milliseconds(flags_.interval_ms), kAttemptsMax,
                                        [connection, region = api.region, attempt](std::size_t number) {
                                          DrillAttempt made = attempt(*connection, number);
                                          made.region = region;
                                          return made;
                                        });
  }

  DrillAttempt SignIn(ApiConnection& api) const {
    const ApiAnswer answer =
        api.CallUnsigned(Operation("InitiateAuth"), json::serialize(SignInRequest()), kSignInTimeout);
    DrillAttempt attempt{.kind = Kind::kSignIn, .outcome = OutcomeOf(answer)};
    if (!answer.ok()) attempt.error = answer.Complaint();
    return attempt;
  }

  DrillAttempt Write(ApiConnection& api, const std::string& name) const {
    const json::object request{{"UserPoolId", flags_.pool}, {"GroupName", name}, {"Description", "made by a drill"}};
    const ApiAnswer answer = api.Call(Operation("CreateGroup"), json::serialize(request), kWriteTimeout);
    DrillAttempt attempt{.kind = Kind::kWrite, .outcome = OutcomeOf(answer), .name = name};
    if (!answer.ok()) attempt.error = answer.Complaint();
    return attempt;
  }

  void Settle() const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(flags_.settle_s);
    while (interrupted == 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kPause);
  }

  bool Promote(const DrillLog& log, const std::string& from, const std::string& to) {
    DrillStep& step = drill_.steps.emplace_back();
    step.from = from;
    step.to = to;
    step.begun = log.Now();
    const ApiAnswer answer = AskForPromotion(to);
    step.ended = log.Now();
    if (!answer.ok()) {
      step.problem = answer.Complaint();
      return false;
    }
    const json::value promoted = json::parse(answer.body);
    step.epoch = promoted.at("Epoch").as_int64();
    step.first_sequence = promoted.at("FirstSequence").as_int64();
    return true;
  }

  // What is left open is asked again, in another Region as well: whoever knows of the hand-over waits for its end, and
  // nothing is done twice.
  ApiAnswer AskForPromotion(const std::string& to) {
    std::vector<std::string> asked{to};
    for (const ApiAccess& api : apis_) {
      if (api.region != to) asked.push_back(api.region);
    }
    const auto until = std::chrono::steady_clock::now() + kCatchUpPatience;
    for (std::size_t i = 0;; ++i) {
      ApiAnswer answer = Call(asked[i % asked.size()], OwnOperation("PromoteUserPoolReplica"), {{"RegionName", to}},
                              kPromotionTimeout);
      if (!answer.IsOpen() || std::chrono::steady_clock::now() > until) return answer;
      std::this_thread::sleep_for(kPause);
    }
  }

  // ---- 4. is everything there? ----
  void ReadBack() {
    AwaitEqualPositions();
    for (const ApiAccess& api : apis_) {
      DrillReadBack& read = drill_.read_back.emplace_back();
      read.region = api.region;
      for (const DrillAttempt& attempt : drill_.attempts) {
        if (attempt.kind != Kind::kWrite || attempt.outcome != Outcome::kDone) continue;
        const ApiAnswer answer = Call(api.region, Operation("GetGroup"), {{"GroupName", attempt.name}});
        if (answer.ok()) {
          ++read.found;
        } else if (answer.error == "ResourceNotFoundException") {
          read.missing.push_back(attempt.name);
        } else {
          read.problem = answer.Complaint();
          break;
        }
      }
    }
  }

  // What was acknowledged last has reached everybody; if not in time, reading back will tell.
  void AwaitEqualPositions() {
    const auto until = std::chrono::steady_clock::now() + kCatchUpPatience;
    while (std::chrono::steady_clock::now() < until) {
      const auto states = Look();
      const auto same = [&](const DrillRegionState& state) {
        return state.epoch == states->front().epoch && state.sequence == states->front().sequence;
      };
      if (states && std::ranges::all_of(*states, same)) return;
      std::this_thread::sleep_for(kPause);
    }
  }

  // ---- 5. as if nothing had been ----
  void CleanUp() {
    const auto until = std::chrono::steady_clock::now() + kCleanUpPatience;
    for (const DrillAttempt& attempt : drill_.attempts) {
      const bool may_exist = attempt.outcome == Outcome::kDone || attempt.outcome == Outcome::kUnknown;
      if (attempt.kind != Kind::kWrite || !may_exist) continue;
      Remove("DeleteGroup", {{"GroupName", attempt.name}}, "group " + attempt.name, until);
    }
    if (user_may_exist_) {
      Remove("AdminDeleteUser", {{"Username", user_.username}}, "user " + user_.username, until);
    }
    if (!client_id_.empty()) {
      Remove("DeleteUserPoolClient", {{"ClientId", client_id_}}, "app client " + client_id_, until);
    }
  }

  // In whichever Region may: what is not there is removed.
  void Remove(std::string_view operation, const json::object& request, const std::string& name,
              std::chrono::steady_clock::time_point until) {
    do {
      for (const ApiAccess& api : apis_) {
        const ApiAnswer answer = Call(api.region, Operation(operation), request);
        const bool gone = answer.error == "ResourceNotFoundException" || answer.error == "UserNotFoundException";
        // A secondary may not know it yet.
        if (answer.ok() || (gone && IsPrimary(api.region))) return;
      }
      std::this_thread::sleep_for(kPause);
    } while (std::chrono::steady_clock::now() < until);
    drill_.left_behind.push_back(name);
  }
  bool IsPrimary(const std::string& region) {
    const ApiAnswer answer = Call(region, OwnOperation("DescribeReplication"), {});
    const auto state = answer.ok() ? ParseRegionState(answer.body) : Fail("");
    return state && state->primary;
  }

  const DrillFlags& flags_;
  std::vector<ApiAccess> apis_;
  Clock& clock_;
  Random& random_;
  std::map<std::string, std::unique_ptr<ApiConnection>> connections_;
  DrillPlan plan_;
  DrillUser user_;
  std::string client_id_;
  bool user_may_exist_ = false;
  Drill drill_;
};

CliResult<void> WriteReport(const std::filesystem::path& file, const std::string& json) {
  std::ofstream stream(file);
  stream << json << '\n';
  stream.close();
  if (!stream) return Fail(fmt::format("the report cannot be written to {}", file.string()));
  return {};
}

}  // namespace

CliResult<DrillRegionState> ParseRegionState(std::string_view text) {
  boost::system::error_code error;
  const json::value answer = json::parse(text, error);
  try {
    if (error) return Fail("the answer is not understood");
    DrillRegionState state;
    state.region = answer.at("Region").as_string().c_str();
    state.primary = answer.at("Role").as_string() == "PRIMARY";
    state.epoch = answer.at("Epoch").to_number<std::int64_t>();
    state.sequence = answer.at("Sequence").to_number<std::int64_t>();
    if (const json::value* durability = answer.as_object().if_contains("Durability")) {
      const json::value* out = durability->as_object().if_contains("OutOfReach");
      state.out_of_reach = out != nullptr && out->as_bool();
    }
    for (const json::value& value : answer.at("Members").as_array()) {
      const json::object& known = value.as_object();
      if (known.at("Role").as_string() != "SECONDARY") continue;
      DrillRegionState::Member& member = state.members.emplace_back();
      member.region = known.at("Region").as_string().c_str();
      member.active = known.at("Status").as_string() == "ACTIVE";
      const json::value* connected = known.if_contains("Connected");
      member.connected = connected != nullptr && connected->as_bool();
      const json::value* entries = known.if_contains("LagEntries");
      if (entries != nullptr) member.lag_entries = entries->to_number<std::int64_t>();
      const json::value* seconds = known.if_contains("LagSeconds");
      if (seconds != nullptr) member.lag_s = seconds->to_number<double>();
    }
    return state;
  } catch (const std::exception&) {  // a member is missing, or of another kind
    return Fail("the answer is not understood");
  }
}

CliResult<DrillPlan> PlanDrill(const std::vector<DrillRegionState>& states, const std::string& to) {
  // More is caught up with while writes wait: nobody wants to wait for a drill.
  constexpr std::int64_t kLagEntriesMax = 1'000;
  constexpr double kLagMaxS = 5;
  std::vector<const DrillRegionState*> primaries;
  for (const DrillRegionState& state : states) {
    if (state.primary) primaries.push_back(&state);
  }
  if (primaries.size() != 1) {
    return Fail(primaries.empty() ? "the pool has no primary at present" : "two Regions say that they are its primary");
  }
  const DrillRegionState& primary = *primaries.front();
  if (primary.members.empty()) return Fail("the pool has no replica to fail over to");
  std::string problems;
  const auto complain = [&](const std::string& region, const std::string& what) {
    problems += fmt::format("{}{} {}", problems.empty() ? "" : "; ", region, what);
  };
  if (primary.out_of_reach) complain(primary.region, "cannot confirm writes as the pool's durability asks");
  if (to == primary.region) complain(to, "is the primary already");
  const DrillRegionState::Member* target = nullptr;
  for (const DrillRegionState::Member& member : primary.members) {
    if (to.empty() ? primary.members.size() == 1 : member.region == to) target = &member;
    if (!member.active) continue;
    if (!member.connected) complain(member.region, "has no connection to the primary");
    if (member.lag_entries > kLagEntriesMax || member.lag_s.value_or(0) > kLagMaxS) {
      complain(member.region,
               fmt::format("lags by {} entries, {:.1f} s", member.lag_entries, member.lag_s.value_or(0)));
    }
  }
  if (target == nullptr && to.empty()) return Fail("the pool has several replicas: name one with --to");
  if (target == nullptr && to != primary.region) complain(to, "has no replica of the pool");
  if (target != nullptr && !target->active) complain(target->region, "is not ACTIVE");
  const auto asked = [&](const std::string& region) {
    return std::ranges::find(states, region, &DrillRegionState::region) != states.end();
  };
  if (target != nullptr && !asked(target->region)) complain(target->region, "is not among the Regions that were named");
  if (!problems.empty()) return Fail("the pool is not fit for a drill: " + problems);
  DrillPlan plan{.from = primary.region, .to = target->region, .regions = {primary.region}};
  for (const DrillRegionState::Member& member : primary.members) {
    if (member.active && asked(member.region)) plan.regions.push_back(member.region);
  }
  return plan;
}

CliResult<DrillUser> MakeDrillUser(std::string_view described_pool, const std::string& pool, const std::string& id,
                                   Random& random) {
  boost::system::error_code error;
  const json::value answer = json::parse(described_pool, error);
  const json::value* described = error || !answer.is_object() ? nullptr : answer.get_object().if_contains("UserPool");
  if (described == nullptr || !described->is_object()) return Fail("the answer is not understood");
  DrillUser user;
  const std::string name = "symbolon-drill-" + id;
  const std::string email = name + "@drill.invalid";
  const json::value* names = described->as_object().if_contains("UsernameAttributes");
  const bool by_attribute = names != nullptr && names->is_array() && !names->as_array().empty();
  const bool by_email =
      by_attribute && std::ranges::find(names->as_array(), json::value("email")) != names->as_array().end();
  user.username = !by_attribute ? name : by_email ? email : "+15555550100";
  // Of every kind that a policy can ask for, as long as any may ask for.
  user.password = "Drill-1-" + HexEncode(random.Octets(46)).substr(0, 91);
  json::array attributes;
  const json::value* schema = described->as_object().if_contains("SchemaAttributes");
  for (const json::value& value : schema != nullptr && schema->is_array() ? schema->as_array() : json::array()) {
    const json::object& attribute = value.as_object();
    const json::value* required = attribute.if_contains("Required");
    const std::string attribute_name = attribute.at("Name").as_string().c_str();
    if (required == nullptr || !required->as_bool() || attribute_name == "sub") continue;
    std::string text = "drill";
    if (attribute_name == "email") text = email;
    if (attribute_name == "phone_number") text = "+15555550100";
    if (attribute_name == "birthdate") text = "2000-01-01";
    if (attribute_name == "updated_at") text = "0";
    attributes.push_back({{"Name", attribute_name}, {"Value", text}});
  }
  json::object request{{"UserPoolId", pool}, {"Username", user.username}, {"MessageAction", "SUPPRESS"}};
  if (!attributes.empty()) request["UserAttributes"] = std::move(attributes);
  user.create_json = json::serialize(request);
  return user;
}

CliResult<void> RunDrill(const DrillFlags& flags, Clock& clock, Random& random) {
  const auto refused = [](Failure failure) {
    failure.exit_status = kNotDone;
    return Err(std::move(failure));
  };
  auto apis = FindRegionApis(flags.dir, flags.endpoints);
  if (!apis) return refused(apis.error());
  auto drill = Exercise(flags, *std::move(apis), clock, random).Run();
  if (!drill) return refused(drill.error());
  fmt::print("{}", DrillText(*drill));
  if (!flags.report.empty()) SYMBOLON_TRY_VOID(WriteReport(flags.report, DrillJson(*drill)));
  if (Passed(*drill)) return {};
  return Err(Failure{.message = "", .exit_status = 1});
}

}  // namespace symbolon::cli
