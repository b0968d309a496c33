#include "cognito/email_configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "auth/attributes.h"
#include "directory/normalise.h"
#include "directory/regional_settings.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::cognito::EmailConfigurationType;
using model::cognito::EmailSendingAccountType;

// A line of a message's head (RFC 5322 §2.1.1).
constexpr std::size_t kFromMax = 998;

auto Invalid(std::string_view what) {
  return Fail(ErrorCode::kInvalidParameterException, fmt::format("EmailConfiguration: {}", what));
}

bool IsDomain(std::string_view text) { return auth::IsEmailAddress(fmt::format("a@{}", text)); }

// What an identity's ARN names: "arn:aws:ses:us-east-1:123456789012:identity/example.com". nullopt: it is none.
std::optional<std::string> IdentityOf(std::string_view arn) {
  constexpr std::string_view kResource = "identity/";
  const std::string_view expected[] = {"arn", "", "ses", "", ""};
  for (const std::string_view part : expected) {
    const std::size_t end = arn.find(':');
    if (end == std::string_view::npos || (!part.empty() && arn.substr(0, end) != part)) return std::nullopt;
    arn.remove_prefix(end + 1);
  }
  if (!arn.starts_with(kResource)) return std::nullopt;
  arn.remove_prefix(kResource.size());
  if (!auth::IsEmailAddress(arn) && !IsDomain(arn)) return std::nullopt;
  return std::string(arn);
}

// A display name as it stands before an address: quoted, or of what means nothing in the list of addresses that From is
// (RFC 5322 §3.4): "a@b.org, X" would be one more sender.
bool IsDisplayName(std::string_view name) {
  while (name.ends_with(' ')) name.remove_suffix(1);
  if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) {
    return name.substr(1, name.size() - 2).find_first_of("\"\\") == std::string_view::npos;
  }
  return name.find_first_of("()<>[]:;@\\,\"") == std::string_view::npos;
}

// Of "address" or "Name <address>". nullopt: it is neither.
std::optional<std::string_view> AddressOf(std::string_view from) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (from.size() > kFromMax || std::ranges::any_of(from, is_control)) return std::nullopt;
  if (const std::size_t open = from.find('<'); open != std::string_view::npos) {
    if (!from.ends_with('>') || !IsDisplayName(from.substr(0, open))) return std::nullopt;
    from = from.substr(open + 1, from.size() - open - 2);
  }
  if (!auth::IsEmailAddress(from)) return std::nullopt;
  return from;
}

// The identity is this address, its domain, or one above.
bool Covers(std::string_view identity, std::string_view address) {
  const std::string covers = directory::FoldCase(identity);
  const std::string covered = directory::FoldCase(address);
  if (covers.find('@') != std::string::npos) return covered == covers;
  const std::string_view domain = std::string_view(covered).substr(covered.find('@') + 1);
  return domain == covers || domain.ends_with("." + covers);
}

ApiResult<void> CheckSender(const EmailConfigurationType& configuration) {
  const bool is_default = configuration.EmailSendingAccount.value_or(EmailSendingAccountType::kCognitoDefault) ==
                          EmailSendingAccountType::kCognitoDefault;
  if (!configuration.SourceArn) {
    if (!is_default) return Invalid("SourceArn is required with EmailSendingAccount DEVELOPER.");
    if (configuration.From) return Invalid("From needs a SourceArn, which names the identity that it is of.");
    return {};
  }
  const std::optional<std::string> identity = IdentityOf(*configuration.SourceArn);
  if (!identity) {
    return Invalid("SourceArn must name an identity, as arn:aws:ses:us-east-1:123456789012:identity/example.com does.");
  }
  if (!configuration.From) {
    if (auth::IsEmailAddress(*identity)) return {};
    return Invalid("From is required where SourceArn names a domain.");
  }
  const std::optional<std::string_view> address = AddressOf(*configuration.From);
  if (!address) return Invalid("From must be an e-mail address, or a name with one: Example <no-reply@example.com>.");
  if (!Covers(*identity, *address)) return Invalid("From is not of the identity that SourceArn names.");
  return {};
}

}  // namespace

EmailConfigurationType EmailConfigurationOf(Call& call, const pb::PoolRecord& pool) {
  const auto settings = directory::RegionalSettingsOf(call.tx(), pool, call.env().region().region);
  const pb::EmailSettings& email = settings.email();
  EmailConfigurationType shown;
  shown.EmailSendingAccount =
      email.developer() ? EmailSendingAccountType::kDeveloper : EmailSendingAccountType::kCognitoDefault;
  if (email.has_source_arn()) shown.SourceArn = email.source_arn();
  if (email.has_from()) shown.From = email.from();
  if (email.has_reply_to()) shown.ReplyToEmailAddress = email.reply_to();
  return shown;
}

ApiResult<void> PutEmailConfiguration(Call& call, const pb::PoolRecord& pool,
                                      const EmailConfigurationType& configuration) {
  if (configuration.ConfigurationSet) return Invalid("ConfigurationSet is not available yet.");
  SYMBOLON_TRY_VOID(CheckSender(configuration));
  if (configuration.ReplyToEmailAddress && !auth::IsEmailAddress(*configuration.ReplyToEmailAddress)) {
    return Invalid("ReplyToEmailAddress must be an e-mail address.");
  }
  auto settings = directory::RegionalSettingsOf(call.tx(), pool, call.env().region().region);
  settings.clear_email();
  pb::EmailSettings& email = *settings.mutable_email();
  email.set_developer(configuration.EmailSendingAccount == EmailSendingAccountType::kDeveloper);
  if (configuration.SourceArn) email.set_source_arn(*configuration.SourceArn);
  if (configuration.From) email.set_from(*configuration.From);
  if (configuration.ReplyToEmailAddress) email.set_reply_to(*configuration.ReplyToEmailAddress);
  directory::PutRegionalSettings(call.tx(), settings);
  return {};
}

delivery::Sender SenderOf(Call& call, const pb::PoolRecord& pool) {
  const auto settings = directory::RegionalSettingsOf(call.tx(), pool, call.env().region().region);
  const pb::EmailSettings& email = settings.email();
  delivery::Sender sender{.from = email.from(), .reply_to = email.reply_to()};
  // An address by itself; a domain needs a From.
  if (sender.from.empty()) sender.from = IdentityOf(email.source_arn()).value_or(std::string());
  return sender;
}

}  // namespace symbolon::cognito
