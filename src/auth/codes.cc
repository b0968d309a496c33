#include "auth/codes.h"

#include <algorithm>

#include "auth/facts.h"
#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

using directory::Env;
using directory::Transaction;
using directory::pb::PendingCode;
using directory::pb::UserRecord;

// What is counted per name and hour. Numbers are part of the stored format.
enum class Counted : char {
  kCodeRequests = 1,
  kWrongCodes = 2,
  kWrongPasswords = 3,
};

// Counts outlive their hour, so that Regions whose clocks differ agree while it matters.
constexpr std::chrono::hours kCountMargin{1};

std::chrono::hours LifetimeOf(CodePurpose purpose) {
  return purpose == PendingCode::RESET_PASSWORD ? kResetCodeLifetime : kConfirmationCodeLifetime;
}

std::chrono::sys_time<std::chrono::hours> HourOf(const Env& env) {
  return std::chrono::floor<std::chrono::hours>(env.now());
}

// One counter per clock hour: it never has to be taken back, so Regions merge it by maximum.
Bytes CounterSubject(const Transaction& tx, const Env& env, Counted counted, CodePurpose purpose,
                     BytesView counting_key) {
  Bytes about{static_cast<char>(counted), static_cast<char>(purpose)};
  AppendBigEndian64(about, static_cast<std::uint64_t>(HourOf(env).time_since_epoch().count()));
  about += counting_key;
  return FactSubject(tx, FactType::kHourlyCount, about);
}

std::uint64_t CountOf(Transaction& tx, const Env& env, Counted counted, CodePurpose purpose, BytesView counting_key) {
  const auto fact = tx.GetFact(static_cast<std::uint16_t>(FactType::kHourlyCount),
                               CounterSubject(tx, env, counted, purpose, counting_key));
  std::uint64_t count = 0;
  if (fact) {
    for (const auto& [region, own] : fact->region_maximum()) count += own;
  }
  return count;
}

void CountOne(Transaction& tx, const Env& env, Counted counted, CodePurpose purpose, BytesView counting_key) {
  const Bytes subject = CounterSubject(tx, env, counted, purpose, counting_key);
  const std::string& region = env.region().region.value();
  storage::pb::FactValue value;
  const auto before = tx.GetFact(static_cast<std::uint16_t>(FactType::kHourlyCount), subject);
  const std::uint64_t own =
      before && before->region_maximum().contains(region) ? before->region_maximum().at(region) : 0;
  (*value.mutable_region_maximum())[region] = own + 1;
  value.set_expires_at_micros(AcceptedUntilMicros(tx, ToMicros(HourOf(env) + std::chrono::hours(1) + kCountMargin)));
  tx.JoinFact(static_cast<std::uint16_t>(FactType::kHourlyCount), subject, value);
}

Bytes LastCodeSubject(const Transaction& tx, CodePurpose purpose, BytesView counting_key) {
  return FactSubject(tx, FactType::kLastCode, Bytes(1, static_cast<char>(purpose)) + Bytes(counting_key));
}

void NoteLastCode(Transaction& tx, const Env& env, CodePurpose purpose, BytesView counting_key, bool redeemed) {
  storage::pb::FactValue value;
  const auto now = static_cast<std::uint64_t>(ToMicros(env.now()));
  if (redeemed) {
    (*value.mutable_region_maximum())[env.region().region.value()] = now;
  } else {
    value.set_maximum(now);
  }
  value.set_expires_at_micros(AcceptedUntilMicros(tx, ToMicros(env.now() + LifetimeOf(purpose))));
  tx.JoinFact(static_cast<std::uint16_t>(FactType::kLastCode), LastCodeSubject(tx, purpose, counting_key), value);
}

// Whether a code that was asked for would still be good, if the name were somebody's who can be reached.
bool MayBeWaiting(Transaction& tx, const Env& env, CodePurpose purpose, BytesView counting_key) {
  const auto fact =
      tx.GetFact(static_cast<std::uint16_t>(FactType::kLastCode), LastCodeSubject(tx, purpose, counting_key));
  if (!fact || env.now() >= FromMicros(static_cast<std::int64_t>(fact->maximum())) + LifetimeOf(purpose)) return false;
  return std::ranges::none_of(fact->region_maximum(),
                              [&](const auto& redeemed) { return redeemed.second >= fact->maximum(); });
}

void AppendField(Bytes& out, BytesView field) {
  AppendBigEndian32(out, static_cast<std::uint32_t>(field.size()));
  out += field;
}

Bytes MacOf(const Transaction& tx, const UserRecord& user, const PendingCode& pending, std::string_view code) {
  Bytes fields{static_cast<char>(pending.purpose())};
  AppendBigEndian64(fields, static_cast<std::uint64_t>(pending.expires_micros()));
  AppendField(fields, user.sub());
  AppendField(fields, pending.attribute());
  AppendField(fields, pending.value());
  AppendField(fields, code);
  return tx.keys().Derive("one-time code", fields);
}

bool IsFor(const PendingCode& pending, CodePurpose purpose, std::string_view attribute) {
  return pending.purpose() == purpose && (attribute.empty() || pending.attribute() == attribute);
}

template <class Predicate>
void EraseCodes(UserRecord& user, Predicate predicate) {
  auto& codes = *user.mutable_codes();
  codes.erase(std::remove_if(codes.begin(), codes.end(), predicate), codes.end());
}

}  // namespace

bool AdmitCodeRequest(Transaction& tx, const Env& env, CodePurpose purpose, BytesView counting_key) {
  if (CountOf(tx, env, Counted::kCodeRequests, purpose, counting_key) >= kCodeRequestsPerHourMax) return false;
  CountOne(tx, env, Counted::kCodeRequests, purpose, counting_key);
  NoteLastCode(tx, env, purpose, counting_key, false);
  return true;
}

std::string IssueCode(Transaction& tx, const Env& env, UserRecord& user, CodePurpose purpose,
                      std::string_view attribute, std::string_view value) {
  EraseCodes(user, [&](const PendingCode& pending) {
    return IsFor(pending, purpose, attribute) || ToMicros(env.now()) >= pending.expires_micros();
  });
  std::string code = RandomText(tx.random(), kCodeDigits, kDigits);
  PendingCode& pending = *user.add_codes();
  pending.set_purpose(purpose);
  pending.set_attribute(std::string(attribute));
  pending.set_value(std::string(value));
  pending.set_expires_micros(ToMicros(env.now() + LifetimeOf(purpose)));
  pending.set_code_mac(MacOf(tx, user, pending, code));
  return code;
}

Result<PendingCode, CodeError> RedeemCode(Transaction& tx, const Env& env, BytesView counting_key, UserRecord* user,
                                          CodePurpose purpose, std::string_view attribute, std::string_view code) {
  if (CountOf(tx, env, Counted::kWrongCodes, purpose, counting_key) >= kWrongGuessesPerHourMax)
    return Err(CodeError::kTooManyWrong);
  // Nobody's code has the same work done on it.
  const UserRecord nobody;
  const UserRecord& holder = user != nullptr ? *user : nobody;
  const PendingCode* waiting = FindCode(holder, env.now(), purpose, attribute);
  const bool may_be_waiting = MayBeWaiting(tx, env, purpose, counting_key);
  const PendingCode compared = waiting != nullptr ? *waiting : PendingCode();
  const bool equal = crypto::EqualSecrets(MacOf(tx, holder, compared, code), compared.code_mac());
  if (waiting != nullptr && equal) {
    DropCodes(*user, purpose, compared.attribute());
    NoteLastCode(tx, env, purpose, counting_key, true);
    return compared;
  }
  if (waiting == nullptr && !may_be_waiting) return Err(CodeError::kNoneWaits);
  CountOne(tx, env, Counted::kWrongCodes, purpose, counting_key);
  return Err(CodeError::kWrong);
}

const PendingCode* FindCode(const UserRecord& user, Timestamp now, CodePurpose purpose, std::string_view attribute) {
  const PendingCode* newest = nullptr;
  for (const PendingCode& pending : user.codes()) {
    if (!IsFor(pending, purpose, attribute) || ToMicros(now) >= pending.expires_micros()) continue;
    if (newest == nullptr || pending.expires_micros() >= newest->expires_micros()) newest = &pending;
  }
  return newest;
}

void DropCodes(UserRecord& user, CodePurpose purpose, std::string_view attribute) {
  EraseCodes(user, [&](const PendingCode& pending) { return IsFor(pending, purpose, attribute); });
}

bool MayGuessPassword(Transaction& tx, const Env& env, BytesView user_key) {
  return CountOf(tx, env, Counted::kWrongPasswords, PendingCode::PURPOSE_UNSPECIFIED, user_key) <
         kWrongGuessesPerHourMax;
}

void CountWrongPassword(Transaction& tx, const Env& env, BytesView user_key) {
  CountOne(tx, env, Counted::kWrongPasswords, PendingCode::PURPOSE_UNSPECIFIED, user_key);
}

}  // namespace symbolon::auth
