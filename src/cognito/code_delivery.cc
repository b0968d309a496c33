#include "cognito/code_delivery.h"

#include <algorithm>

#include "auth/attributes.h"
#include "cognito/email_configuration.h"
#include "delivery/message.h"
#include "directory/users.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using delivery::Medium;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::cognito::CodeDeliveryDetailsType;
using model::cognito::DeliveryMediumType;

constexpr std::string_view kAttemptLimit = "Attempt limit exceeded, please try after some time.";

Medium MediumOf(std::string_view attribute) { return attribute == "email" ? Medium::kEmail : Medium::kSms; }

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

std::optional<Channel> ChannelOf(const pb::UserRecord& user, const std::string& attribute) {
  const auto value = user.attributes().find(attribute);
  if (value == user.attributes().end() || value->second.empty()) return std::nullopt;
  return Channel{.attribute = attribute, .value = value->second};
}

bool IsVerified(const pb::UserRecord& user, const std::string& attribute) {
  const auto flag = user.attributes().find(attribute + "_verified");
  return flag != user.attributes().end() && flag->second == "true";
}

CodeDeliveryDetailsType Describe(const std::string& attribute, std::string masked_destination) {
  return {.Destination = std::move(masked_destination),
          .DeliveryMedium = attribute == "email" ? DeliveryMediumType::kEmail : DeliveryMediumType::kSms,
          .AttributeName = attribute};
}

struct Words {
  std::string subject;
  std::string text;
};

// The pool's own words, else these.
Words WordsOf(const pb::MessageTemplate& own, Medium medium, std::string_view subject, std::string_view text) {
  if (medium == Medium::kSms)
    return {.subject = {}, .text = std::string(own.has_sms_message() ? own.sms_message() : text)};
  return {.subject = std::string(own.has_email_subject() ? own.email_subject() : subject),
          .text = std::string(own.has_email_message() ? own.email_message() : text)};
}

// What the user signs in with.
std::string SignInName(const pb::PoolRecord& pool, const pb::UserRecord& user) {
  for (const std::string& attribute : pool.username_attributes()) {
    if (auto channel = ChannelOf(user, attribute)) return std::move(channel->value);
  }
  return user.username();
}

void Deliver(Call& call, const pb::UserRecord& user, const Channel& channel, const Words& words, std::string_view code,
             std::string_view reason) {
  const std::string name = SignInName(call.pool(), user);
  const Medium medium = MediumOf(channel.attribute);
  delivery::Send(call.tx(), call.env(),
                 {.username = user.username(),
                  .medium = medium,
                  .destination = channel.value,
                  .sender = medium == Medium::kEmail ? SenderOf(call, call.pool()) : delivery::Sender(),
                  .subject = delivery::FillTemplate(words.subject, name, code),
                  .text = delivery::FillTemplate(words.text, name, code),
                  .code = std::string(code),
                  .reason = std::string(reason)});
}

// Letters and digits that look like a user's and are always the same for one name.
std::string DecoyDestination(Call& call, const std::string& name, Medium medium) {
  const Bytes octets = call.tx().keys().Derive("decoy destination", directory::NormaliseName(call.pool(), name));
  const auto pick = [&](std::size_t i, char first, unsigned count) {
    return static_cast<char>(first + static_cast<unsigned char>(octets[i]) % count);
  };
  std::string destination;
  if (medium == Medium::kEmail) return destination + pick(0, 'a', 26) + "@" + pick(1, 'a', 26);
  for (std::size_t i = 0; i < 4; ++i) destination += pick(i, '0', 10);
  return destination;
}

}  // namespace

std::vector<std::string> ConfirmationAttributes(const pb::PoolRecord& pool) {
  std::vector<std::string> attributes;
  for (const char* attribute : {"phone_number", "email"}) {
    if (Contains(pool.auto_verified_attributes(), attribute)) attributes.emplace_back(attribute);
  }
  return attributes;
}

std::vector<std::string> RecoveryAttributes(const pb::PoolRecord& pool) {
  std::vector<std::pair<std::uint32_t, std::string>> options;
  for (const pb::RecoveryOption& option : pool.recovery()) {
    if (option.name() == "verified_email") options.emplace_back(option.priority(), "email");
    if (option.name() == "verified_phone_number") options.emplace_back(option.priority(), "phone_number");
  }
  // An administrator's reset needs a channel also where users have none of their own.
  if (options.empty()) options = {{1, "email"}, {2, "phone_number"}};
  std::ranges::sort(options);
  std::vector<std::string> attributes;
  for (auto& [priority, attribute] : options) attributes.push_back(std::move(attribute));
  return attributes;
}

std::optional<Channel> ConfirmationChannel(const pb::PoolRecord& pool, const pb::UserRecord& user) {
  for (const std::string& attribute : ConfirmationAttributes(pool)) {
    if (auto channel = ChannelOf(user, attribute)) return channel;
  }
  return std::nullopt;
}

std::optional<Channel> RecoveryChannel(const pb::PoolRecord& pool, const pb::UserRecord& user) {
  for (const std::string& attribute : RecoveryAttributes(pool)) {
    if (!IsVerified(user, attribute)) continue;
    if (auto channel = ChannelOf(user, attribute)) return channel;
  }
  return std::nullopt;
}

bool IsRecoveryByAdministratorOnly(const pb::PoolRecord& pool) {
  return std::ranges::any_of(pool.recovery(), [](const auto& option) { return option.name() == "admin_only"; });
}

ApiResult<void> RequireDelivery(Call& call) {
  if (call.env().region().can_deliver) return {};
  return Fail(ErrorCode::kCodeDeliveryFailureException, "Messages cannot be delivered in this Region.");
}

ApiResult<void> AdmitCodeRequest(Call& call, auth::CodePurpose purpose, BytesView name_key) {
  if (auth::AdmitCodeRequest(call.tx(), call.env(), purpose, name_key)) return {};
  return Fail(ErrorCode::kLimitExceededException, std::string(kAttemptLimit));
}

ApiResult<CodeDeliveryDetailsType> SendCode(Call& call, pb::UserRecord& user, auth::CodePurpose purpose,
                                            const Channel& channel, std::string_view reason) {
  SYMBOLON_TRY_VOID(RequireDelivery(call));
  const Medium medium = MediumOf(channel.attribute);
  const std::string code = auth::IssueCode(call.tx(), call.env(), user, purpose, channel.attribute, channel.value);
  const std::string_view text = purpose == pb::PendingCode::RESET_PASSWORD ? "Your password reset code is {####}"
                                                                           : "Your confirmation code is {####}";
  Deliver(call, user, channel, WordsOf(call.pool().verification_message(), medium, "Your verification code", text),
          code, reason);
  return Describe(channel.attribute, delivery::MaskDestination(medium, channel.value));
}

void SendInvitation(Call& call, const pb::UserRecord& user, const Channel& channel, std::string_view password) {
  Deliver(call, user, channel,
          WordsOf(call.pool().invitation_message(), MediumOf(channel.attribute), "Your temporary password",
                  "Your username is {username} and temporary password is {####}."),
          password, "AdminCreateUser");
}

CodeDeliveryDetailsType DecoyDelivery(Call& call, const std::string& name, const std::vector<std::string>& attributes) {
  SYMBOLON_CHECK(!attributes.empty());
  // Whoever signs in with an address gets the code there.
  for (const std::string& attribute : attributes) {
    const bool is_name = attribute == "email" ? auth::IsEmailAddress(name) : auth::IsPhoneNumber(name);
    if (is_name) return Describe(attribute, delivery::MaskDestination(MediumOf(attribute), name));
  }
  const std::string& first = attributes.front();
  const Medium medium = MediumOf(first);
  return Describe(first, delivery::MaskDestination(medium, DecoyDestination(call, name, medium)));
}

ApiError ToApiError(auth::CodeError error, ErrorCode too_many) {
  switch (error) {
    case auth::CodeError::kNoneWaits:
      return {ErrorCode::kExpiredCodeException, "Invalid code provided, please request a code again."};
    case auth::CodeError::kWrong:
      return {ErrorCode::kCodeMismatchException, "Invalid verification code provided, please try again."};
    case auth::CodeError::kTooManyWrong:
      return {too_many, std::string(kAttemptLimit)};
  }
  SYMBOLON_CHECK(false);
}

}  // namespace symbolon::cognito
