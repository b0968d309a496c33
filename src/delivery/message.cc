#include "delivery/message.h"

#include "delivery/outbox.h"

namespace symbolon::delivery {
namespace {

// UTF-8, whole; empty for empty text.
std::string_view FirstCharacter(std::string_view text) {
  std::size_t end = text.empty() ? 0 : 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return text.substr(0, end);
}

}  // namespace

void Send(directory::Transaction& tx, directory::Env& env, const Message& message) {
  directory::pb::OutboxRecord record;
  record.set_username(message.username);
  record.set_medium(message.medium == Medium::kEmail ? "email" : "phone_number");
  record.set_destination(message.destination);
  record.set_from(message.sender.from);
  record.set_reply_to(message.sender.reply_to);
  record.set_subject(message.subject);
  record.set_text(message.text);
  record.set_code(message.code);
  record.set_reason(message.reason);
  record.set_created_micros(ToMicros(env.now()));
  tx.Put<directory::OutboxKind>(NewOutboxId(env.now(), tx.random()), record);
}

std::string FillTemplate(std::string_view text, std::string_view username, std::string_view code) {
  constexpr std::string_view kCode = "{####}";
  constexpr std::string_view kUsername = "{username}";
  std::string filled;
  while (!text.empty()) {
    if (text.starts_with(kCode)) {
      filled += code;
      text.remove_prefix(kCode.size());
    } else if (text.starts_with(kUsername)) {
      filled += username;
      text.remove_prefix(kUsername.size());
    } else {
      filled += text.front();
      text.remove_prefix(1);
    }
  }
  return filled;
}

std::string MaskDestination(Medium medium, std::string_view destination) {
  std::string masked;
  if (medium == Medium::kSms) {
    const std::size_t shown = std::min<std::size_t>(destination.size(), 4);
    return masked.append("+*******").append(destination.substr(destination.size() - shown));
  }
  const std::size_t at = destination.find('@');
  const std::string_view domain = at == std::string_view::npos ? std::string_view() : destination.substr(at + 1);
  return masked.append(FirstCharacter(destination)).append("***@").append(FirstCharacter(domain)).append("***");
}

}  // namespace symbolon::delivery
