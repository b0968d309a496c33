#include "policy/principal.h"

#include <algorithm>

#include "base/ids.h"

namespace symbolon::policy {
namespace {

constexpr std::string_view kArnPrefix = "arn:aws:iam::";
constexpr std::string_view kServiceSuffix = ".amazonaws.com";
constexpr std::size_t kAccountDigits = 12;
constexpr std::size_t kUserNameMax = 64;

bool AllOf(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

bool IsAccount(std::string_view text) { return text.size() == kAccountDigits && AllOf(text, kDigits); }

}  // namespace

std::string Principal::ToString() const {
  switch (kind) {
    case Kind::kRoot:
      return std::string(kArnPrefix) + account + ":root";
    case Kind::kUser:
      return std::string(kArnPrefix) + account + ":user/" + name;
    case Kind::kService:
      return name;
  }
  return name;
}

bool IsUserName(std::string_view name) {
  static const std::string kAlphabet = std::string(kAlphanumeric) + "+=,.@_-";
  return !name.empty() && name.size() <= kUserNameMax && AllOf(name, kAlphabet);
}

std::optional<PrincipalPattern> PrincipalPattern::OfAws(std::string_view text) {
  PrincipalPattern pattern;
  if (text == "*") return pattern;
  if (IsAccount(text)) {
    pattern.named_ = Principal::Root(std::string(text));
    return pattern;
  }
  if (!text.starts_with(kArnPrefix)) return std::nullopt;
  text.remove_prefix(kArnPrefix.size());
  const std::string_view account = text.substr(0, text.find(':'));
  if (!IsAccount(account) || account.size() == text.size()) return std::nullopt;
  text.remove_prefix(account.size() + 1);
  if (text == "root") {
    pattern.named_ = Principal::Root(std::string(account));
  } else if (text.starts_with("user/") && IsUserName(text.substr(5))) {
    pattern.named_ = Principal::User(std::string(account), std::string(text.substr(5)));
  } else {
    return std::nullopt;
  }
  return pattern;
}

std::optional<PrincipalPattern> PrincipalPattern::OfService(std::string_view text) {
  const bool good = text.ends_with(kServiceSuffix) && text.size() > kServiceSuffix.size() &&
                    AllOf(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
  if (!good) return std::nullopt;
  PrincipalPattern pattern;
  pattern.named_ = Principal::Service(std::string(text));
  return pattern;
}

PrincipalPattern::Match PrincipalPattern::Matches(const Principal& principal) const {
  if (!named_ || *named_ == principal) return Match::kItself;
  const bool of_account = named_->kind == Principal::Kind::kRoot && principal.kind == Principal::Kind::kUser &&
                          named_->account == principal.account;
  return of_account ? Match::kAccount : Match::kNone;
}

}  // namespace symbolon::policy
