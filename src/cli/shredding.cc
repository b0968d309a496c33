#include "cli/shredding.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <thread>

#include "certificate/certificate.h"
#include "cli/api_call.h"
#include "cli/files.h"
#include "cli/region_apis.h"
#include "crypto/ed25519.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kTimeout(30);
constexpr std::chrono::seconds kWaitLimit(60);
constexpr std::chrono::milliseconds kPollInterval(500);
constexpr int kNotFinal = 3;
constexpr int kNotConfirmedByAll = 4;

std::string TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : "";
}

// Of all Regions that know of it: the final one, or else that of the first. Which Region was asked does not matter, and
// one of them may be gone.
CliResult<ShreddingProgress> Look(const KeysFlags& keys, Clock& clock) {
  SYMBOLON_TRY(const std::vector<ApiAccess> apis, FindRegionApis(keys.dir, keys.endpoints));
  const std::string request = json::serialize(json::object{{"UserPoolId", keys.pool}});
  std::optional<ShreddingProgress> found;
  Failure last;
  for (const ApiAccess& api : apis) {
    const auto answer = CallApi(api, "DescribeShredding", request, clock, kTimeout);
    if (!answer) {
      last = answer.error();
      continue;
    }
    SYMBOLON_TRY(ShreddingProgress progress, ViewShredding(*answer));
    if (progress.final) return progress;
    if (!found) found = std::move(progress);
  }
  if (found) return *std::move(found);
  return Err(last);
}

CliResult<void> WriteCertificate(const ShreddingProgress& progress, const ShreddingFlags& flags) {
  if (progress.certificate.empty()) return {};
  if (!flags.out.empty()) return WriteFile(flags.out, progress.certificate);
  fmt::print("{}", progress.certificate);
  return {};
}

void SayProgress(const std::string& pool, const ShreddingProgress& progress) {
  const std::string_view state = !progress.final    ? "being shredded"
                                 : progress.removed ? "shredded, but for Regions that are gone"
                                                    : "shredded";
  fmt::print(stderr, "{}: {}\n{}", pool, state, progress.text);
}

CliResult<void> AskForId(const std::string& pool) {
  if (isatty(STDIN_FILENO) != 1) return Fail("nobody is at the terminal to confirm it: --yes");
  fmt::print(stderr,
             "Every key of {} is destroyed in every Region, and all its users with it. Nobody can undo that.\nType the "
             "pool's id: ",
             pool);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed == pool) return {};
  return Fail("that is not the pool's id; nothing has been done");
}

CliResult<std::vector<Bytes>> KeysOf(const CertificateFlags& flags) {
  std::vector<Bytes> keys;
  for (std::string text : flags.keys) {
    std::error_code error;
    if (std::filesystem::exists(text, error)) {
      SYMBOLON_TRY(text, ReadFile(text));
    }
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    auto key = Base64Decode(text);
    if (!key || key->size() != crypto::kEd25519PublicKeyBytes) {
      return Fail("--key: 32 octets in base64, or a file that holds them");
    }
    keys.push_back(*std::move(key));
  }
  return keys;
}

std::string TimeText(Timestamp time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(time));
}

std::string SayOrder(const certificate::Order& order) {
  const bool shredded = order.kind == certificate::Kind::kUserPoolShredded;
  std::string said = shredded ? fmt::format("The keys of user pool {}, and with them all its records, are destroyed.\n",
                                            order.pool.value())
                              : fmt::format("User {} of user pool {} is erased.\n", order.user_sub, order.pool.value());
  said +=
      fmt::format("Asked for by {} in {} at {}.\n", order.asked_by, order.asked_in.value(), TimeText(order.asked_at));
  for (const auto& key : order.data_keys) said += fmt::format("  data key {}\n", HexEncode(key.generation));
  for (const std::string& arn : order.kms_key_arns) said += fmt::format("  wrapped by {}\n", arn);
  return said;
}

std::string SayStatement(const certificate::SignedStatement& one) {
  const certificate::Statement& statement = one.statement;
  std::string said = fmt::format("{}, at {}:\n", statement.region.value(), TimeText(statement.at));
  if (!statement.position.empty()) said += fmt::format("  the pool was at {}\n", statement.position);
  for (const auto& [what, count] : statement.done) said += fmt::format("  {}: {}\n", what, count);
  for (const std::string& what : statement.remains) said += fmt::format("  remains: {}\n", what);
  return said + fmt::format("  signed by {}\n", Base64Encode(one.public_key));
}

}  // namespace

CliResult<ShreddingProgress> ViewShredding(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::value* member = !error && parsed.is_object() ? parsed.get_object().if_contains("Shredding") : nullptr;
  if (member == nullptr || !member->is_object()) return Fail("the answer is not understood");
  const json::object& shredding = member->get_object();
  ShreddingProgress progress;
  progress.final = TextOf(shredding, "Status") == "FINAL";
  progress.certificate = TextOf(shredding, "Certificate");
  const json::value* regions = shredding.if_contains("Regions");
  if (regions == nullptr || !regions->is_array()) return Fail("the answer is not understood");
  for (const json::value& value : regions->get_array()) {
    if (!value.is_object()) return Fail("the answer is not understood");
    const json::object& region = value.get_object();
    const std::string state = TextOf(region, "State");
    const std::string shown = state == "DONE"             ? "done"
                              : state == "KEYS_DESTROYED" ? "keys destroyed"
                              : state == "REMOVED"        ? "NOT CONFIRMED"
                                                          : "pending";
    progress.removed = progress.removed || state == "REMOVED";
    progress.text += fmt::format("  {:<20} {:<15} {}", TextOf(region, "Region"), shown, TextOf(region, "Reason"));
    progress.text.erase(progress.text.find_last_not_of(' ') + 1);
    progress.text += '\n';
  }
  return progress;
}

CliResult<std::string> DescribeCertificate(std::string_view text, const std::vector<Bytes>& keys) {
  const auto verified = certificate::Verify(text, keys);
  if (!verified) return Fail(verified.error().detail);
  std::string said = SayOrder(verified->order);
  for (const certificate::SignedStatement& one : verified->statements) said += SayStatement(one);
  for (const certificate::Unconfirmed& one : verified->pending) {
    said += fmt::format("{}: PENDING: {}\n", one.region.value(), one.reason);
  }
  for (const certificate::Unconfirmed& one : verified->removed) {
    said += fmt::format("{}: REMOVED, NOT CONFIRMED: {}\n", one.region.value(), one.reason);
  }
  said += fmt::format("Issued by {} at {}, signed by {}.\n", verified->issued_by.value(), TimeText(verified->issued_at),
                      Base64Encode(verified->public_key));
  if (!verified->good()) {
    for (const std::string& problem : verified->problems) said += "NOT GENUINE: " + problem + "\n";
    return Err(Failure{said, 1});
  }
  if (keys.empty()) said += "The keys are those that it names itself: compare them with the Regions' (--key).\n";
  if (!verified->final) return Err(Failure{said + "It is genuine, and PENDING.", kNotFinal});
  if (!verified->removed.empty()) {
    return Err(Failure{said + "It is genuine, and FINAL, but Regions were removed that have not confirmed.",
                       kNotConfirmedByAll});
  }
  return said + "It is genuine, and FINAL.\n";
}

CliResult<void> ShredPool(const KeysFlags& keys, const ShreddingFlags& flags, Clock& clock) {
  if (!flags.yes) SYMBOLON_TRY_VOID(AskForId(keys.pool));
  const json::object request{
      {"UserPoolId", keys.pool}, {"Confirmation", keys.pool}, {"AlthoughLocked", flags.although_locked}};
  SYMBOLON_TRY(const std::string begun, CallAnyRegion(keys, "ShredUserPool", json::serialize(request), clock));
  SYMBOLON_TRY(ShreddingProgress progress, ViewShredding(begun));
  const auto until = clock.SinceBoot() + kWaitLimit;
  while (!keys.detach && !progress.final && clock.SinceBoot() < until) {
    std::this_thread::sleep_for(kPollInterval);
    SYMBOLON_TRY(progress, Look(keys, clock));
  }
  SayProgress(keys.pool, progress);
  SYMBOLON_TRY_VOID(WriteCertificate(progress, flags));
  if (progress.final || keys.detach) return {};
  return Err(Failure{"not every Region has confirmed yet: it goes on by itself; `symbolon keys certificate` tells",
                     kNotFinal});
}

CliResult<void> FetchCertificate(const KeysFlags& keys, const ShreddingFlags& flags, Clock& clock) {
  SYMBOLON_TRY(const ShreddingProgress progress, Look(keys, clock));
  SayProgress(keys.pool, progress);
  return WriteCertificate(progress, flags);
}

CliResult<void> VerifyCertificate(const CertificateFlags& flags) {
  SYMBOLON_TRY(const std::vector<Bytes> keys, KeysOf(flags));
  SYMBOLON_TRY(const std::string text, ReadFile(flags.file));
  SYMBOLON_TRY(const std::string said, DescribeCertificate(text, keys));
  fmt::print("{}", said);
  return {};
}

}  // namespace symbolon::cli
