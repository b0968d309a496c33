// Messages that carry a code or a temporary password to a person. They leave through the Region's outbox, in the same
// commit as the change that made them, so that there is never the one without the other.
//
// Nothing here blocks.
#pragma once

#include <string>
#include <string_view>

#include "directory/env.h"
#include "directory/transaction.h"

namespace symbolon::delivery {

enum class Medium { kEmail, kSms };

// Empty: whoever delivers names them.
struct Sender {
  // An e-mail address, or a name with one: "Example <no-reply@example.com>".
  std::string from;
  // An e-mail address.
  std::string reply_to;
};

struct Message {
  std::string username;
  Medium medium = Medium::kEmail;
  // An e-mail address, or a phone number in E.164.
  std::string destination;
  // Of an e-mail.
  Sender sender;
  // Empty for kSms.
  std::string subject;
  std::string text;
  // What `text` carries.
  std::string code;
  // What it is for, as AWS names the cases of its message trigger: "SignUp", "ForgotPassword" ...
  std::string reason;
};

// The caller has seen that RegionSettings::can_deliver holds.
void Send(directory::Transaction& tx, directory::Env& env, const Message& message);

// The template with every {####} and {username} replaced. What is put in is not looked at again.
std::string FillTemplate(std::string_view text, std::string_view username, std::string_view code);

// What may be shown of a destination: "a***@e***", "+*******1234".
std::string MaskDestination(Medium medium, std::string_view destination);

}  // namespace symbolon::delivery
