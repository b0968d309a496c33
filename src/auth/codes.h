// One-time codes of six digits that prove control of an e-mail address or a phone number, and how often they may be
// asked for and guessed.
//
// A code is kept as an HMAC in the user's record, serves one purpose, dies when it is redeemed, replaced or expired,
// and only the newest of its purpose and attribute is good. Requests and wrong guesses are counted per name and hour in
// facts, so that Regions share one budget, and so that a name which belongs to nobody behaves, and costs, as a user's.
//
// All functions work on one Transaction; see there for failures.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "directory/env.h"
#include "directory/records.pb.h"
#include "directory/transaction.h"

namespace symbolon::auth {

using CodePurpose = directory::pb::PendingCode::Purpose;

inline constexpr std::size_t kCodeDigits = 6;
inline constexpr std::chrono::hours kResetCodeLifetime{1};
// To confirm a sign-up or an attribute.
inline constexpr std::chrono::hours kConfirmationCodeLifetime{24};

// Per name, purpose and clock hour.
inline constexpr std::uint64_t kCodeRequestsPerHourMax = 5;
inline constexpr std::uint64_t kWrongGuessesPerHourMax = 5;

// Counts a request for a code, known user or not; false: too many in this hour, nothing is counted. `counting_key`:
// counting_key.h.
bool AdmitCodeRequest(directory::Transaction& tx, const directory::Env& env, CodePurpose purpose,
                      BytesView counting_key);

// Puts a new code into the record, in place of an earlier one of this purpose and attribute, and drops expired ones.
// The code proves control of `value`, the attribute's present or future one.
std::string IssueCode(directory::Transaction& tx, const directory::Env& env, directory::pb::UserRecord& user,
                      CodePurpose purpose, std::string_view attribute, std::string_view value);

enum class CodeError {
  kNoneWaits,     // none was asked for, or it has expired
  kWrong,         // counted: the transaction is to be committed
  kTooManyWrong,  // nothing is compared any more in this hour
};

// Redeems a code: takes it out of the record and answers what it was for. `attribute` may be empty: any. `user` may be
// nullptr: nobody has the name, and the answer is that of a user who asked for as many codes.
Result<directory::pb::PendingCode, CodeError> RedeemCode(directory::Transaction& tx, const directory::Env& env,
                                                         BytesView counting_key, directory::pb::UserRecord* user,
                                                         CodePurpose purpose, std::string_view attribute,
                                                         std::string_view code);

// The newest code of this purpose and attribute that has not expired; nullptr if none waits.
const directory::pb::PendingCode* FindCode(const directory::pb::UserRecord& user, Timestamp now, CodePurpose purpose,
                                           std::string_view attribute);
void DropCodes(directory::pb::UserRecord& user, CodePurpose purpose, std::string_view attribute);

// Guesses of the present password by somebody who is signed in, counted alike.
bool MayGuessPassword(directory::Transaction& tx, const directory::Env& env, BytesView user_key);
void CountWrongPassword(directory::Transaction& tx, const directory::Env& env, BytesView user_key);

}  // namespace symbolon::auth
