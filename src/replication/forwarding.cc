#include "replication/forwarding.h"

#include <utility>

namespace symbolon::replication {

std::string_view ForwardOutcomeName(ForwardOutcome outcome) {
  switch (outcome) {
    case ForwardOutcome::kAnswered:
      return "answered";
    case ForwardOutcome::kNotReached:
      return "not_reached";
    case ForwardOutcome::kBusy:
      return "busy";
    case ForwardOutcome::kRefused:
      return "refused";
    case ForwardOutcome::kChanging:
      return "changing";
    case ForwardOutcome::kIsHere:
      return "is_here";
    case ForwardOutcome::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Forwarded ForwardRoute::End(ForwardOutcome outcome, std::string detail) const {
  return {.outcome = outcome, .region = target_, .answer = {}, .detail = std::move(detail)};
}

std::optional<Forwarded> ForwardRoute::OnReply(ForwardReply reply) {
  if (!reply.sent) return End(ForwardOutcome::kNotReached, "not connected");
  if (!reply.answer) return End(ForwardOutcome::kUnknown, "no answer");
  if (!reply.answer->has_error()) {
    Forwarded end = End(ForwardOutcome::kAnswered);
    end.answer = std::move(*reply.answer->mutable_payload());
    return end;
  }
  const pb::ControlAnswer::Error& error = reply.answer->error();
  switch (error.code()) {
    case pb::CONTROL_NOT_PRIMARY:
      return OnNotPrimary(error.detail());
    case pb::CONTROL_NOT_MEMBER:
    case pb::CONTROL_WRONG_STATE:
    case pb::CONTROL_REFUSED:
      return End(ForwardOutcome::kRefused, error.detail());
    default:  // CONTROL_UNAVAILABLE, and what a newer version may say: it may have happened
      return End(ForwardOutcome::kUnknown, error.detail());
  }
}

std::optional<Forwarded> ForwardRoute::OnNotPrimary(const std::string& named) {
  if (named == here_.value()) return End(ForwardOutcome::kIsHere);
  if (named.empty() || named == target_.value() || redirected_) {
    return End(ForwardOutcome::kChanging, "not the primary; it names \"" + named + "\"");
  }
  redirected_ = true;
  target_ = Region(named);
  return std::nullopt;
}

}  // namespace symbolon::replication
