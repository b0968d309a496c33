// Any octets as a policy of a user or of a key. What is understood decides the same each time, and a Deny of everything
// beside it wins; what is not is refused with words for its author.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/evaluate.h"

namespace {

using namespace symbolon::policy;

constexpr const char* kAccount = "111122223333";

const Vocabulary& Words() {
  static const Vocabulary words({{"kms", {"Encrypt", "Decrypt", "DescribeKey"}}, {"cognito-idp", {"CreateUserPool"}}});
  return words;
}

std::shared_ptr<const Document> DenyOfAll() {
  static const auto deny = std::make_shared<const Document>(
      Document::Parse(R"({"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}})",
                      DocumentKind::kIdentity, Words())
          .value());
  return deny;
}

const Context& Known() {
  static const Context known = [] {
    Context context;
    context.SetTime(symbolon::FromSeconds(1'700'000'000));
    context.Add("aws:SourceIp", "192.0.2.7");
    context.Add("kms:ViaService", "cognito-idp.eu-central-1.amazonaws.com");
    context.SetAll("kms:EncryptionContextKeys", {"a", "b"});
    context.SetFlag("aws:SecureTransport", true);
    return context;
  }();
  return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const DocumentKind kind = data[0] % 2 == 0 ? DocumentKind::kIdentity : DocumentKind::kResource;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto parsed = Document::Parse(text, kind, Words());
  if (!parsed) {
    SYMBOLON_CHECK(!parsed.error().message.empty());
    return 0;
  }
  SYMBOLON_CHECK(text.size() <= Document::kBytesMax && parsed->statements().size() <= Document::kStatementsMax);
  const auto document = std::make_shared<const Document>(*std::move(parsed));
  static const std::array principals = {Principal::Root(kAccount), Principal::User(kAccount, "ann"),
                                        Principal::Service("cognito-idp.amazonaws.com")};
  for (const Principal& principal : principals) {
    for (const std::string_view action : {"kms:Decrypt", "cognito-idp:CreateUserPool"}) {
      const Request request{.principal = principal,
                            .action = action,
                            .resource = "arn:aws:kms:eu-central-1:111122223333:key/1",
                            .context = Known()};
      const auto decide = [&](const Documents& beside) {
        if (kind == DocumentKind::kResource) return DecideByResource(*document, beside, request, true);
        Documents all = beside;
        all.push_back(document);
        return DecideByIdentity(all, request);
      };
      const Outcome outcome = decide({});
      SYMBOLON_CHECK(decide({}) == outcome);
      if (outcome != Outcome::kAllowed) SYMBOLON_CHECK(!Refusal(request, outcome).empty());
      if (principal.kind == Principal::Kind::kUser) SYMBOLON_CHECK(decide({DenyOfAll()}) != Outcome::kAllowed);
    }
  }
  return 0;
}
