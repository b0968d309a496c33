#include "auth/first_seen.h"

#include <algorithm>
#include <tuple>

#include "auth/external_users.h"
#include "auth/facts.h"

namespace symbolon::auth {
namespace {

using storage::pb::FactValue;

constexpr auto kType = static_cast<std::uint16_t>(FactType::kFirstSeen);

storage::Key PlaceOf(const directory::Transaction& tx, const Bytes& subject) {
  return {.space = storage::Space::kFact, .pool = tx.pool(), .type = kType, .id = subject};
}

// An element: length of the Region's name (1 octet) ‖ the name ‖ time by that Region's clock in microseconds (8, big
// endian) ‖ sealed pb::FirstSeen.
struct Element {
  BytesView region;
  std::uint64_t number = 0;
  BytesView sealed;
  auto order() const { return std::tuple(region, number, sealed); }
};

std::optional<Element> ParseElement(BytesView octets) {
  constexpr std::size_t kNumberBytes = 8;
  if (octets.empty()) return std::nullopt;
  const std::size_t name = static_cast<unsigned char>(octets[0]);
  if (octets.size() < 1 + name + kNumberBytes) return std::nullopt;
  return Element{.region = octets.substr(1, name),
                 .number = ReadBigEndian64(octets.substr(1 + name, kNumberBytes)),
                 .sealed = octets.substr(1 + name + kNumberBytes)};
}

std::optional<pb::FirstSeen> Open(const directory::Transaction& tx, const Bytes& subject, BytesView sealed) {
  const auto plain = tx.keys().Open(PlaceOf(tx, subject), sealed);
  pb::FirstSeen seen;
  if (!plain || !seen.ParseFromString(*plain)) return std::nullopt;
  return seen;
}

// What counts among what opens: what somebody put there who has not the pool's keys counts for nothing.
std::optional<pb::FirstSeen> Lowest(const directory::Transaction& tx, const Bytes& subject, const FactValue& fact) {
  std::vector<Element> elements;
  for (const std::string& octets : fact.elements()) {
    if (const auto element = ParseElement(octets)) elements.push_back(*element);
  }
  std::ranges::sort(elements, {}, &Element::order);
  for (const Element& element : elements) {
    if (auto seen = Open(tx, subject, element.sealed)) return seen;
  }
  return std::nullopt;
}

}  // namespace

Bytes FirstSeenSubject(const directory::Transaction& tx, BytesView user_key, std::uint32_t deletions) {
  Bytes about(user_key);
  AppendBigEndian32(about, deletions);
  return FactSubject(tx, FactType::kFirstSeen, about);
}

std::optional<FirstSeenFact> OpenFirstSeen(directory::Transaction& tx, const Bytes& subject) {
  const auto fact = tx.GetFact(kType, subject);
  if (!fact) return std::nullopt;
  FirstSeenFact opened{.subject = subject,
                       .seen = Lowest(tx, subject, *fact),
                       .refused = fact->maximum() > 0,
                       .ends = fact->expires_at_micros() > 0};
  if (!opened.seen && !opened.refused) return std::nullopt;
  return opened;
}

directory::User UserOfFirstSeen(const pb::FirstSeen& seen, Bytes user_key, const keys::PoolKeys& keys) {
  directory::User user;
  user.key = std::move(user_key);
  user.record.set_username(seen.username());
  *user.record.mutable_external() = seen.identity();
  user.record.set_sub(DerivedSub(keys, seen.identity()));
  user.record.set_status(directory::pb::EXTERNAL_PROVIDER);
  user.record.set_enabled(true);
  user.record.set_created_micros(seen.seen_micros());
  user.record.set_modified_micros(seen.seen_micros());
  *user.record.mutable_attributes() = seen.attributes();
  user.record.set_first_seen(true);
  return user;
}

std::optional<directory::User> FirstSeenUser(directory::Transaction& tx, BytesView user_key) {
  const std::uint32_t deletions = DeletionsOf(tx, user_key);
  const auto fact = OpenFirstSeen(tx, FirstSeenSubject(tx, user_key, deletions));
  if (!fact || fact->refused || !fact->seen || fact->seen->identity().deletions() != deletions) return std::nullopt;
  return UserOfFirstSeen(*fact->seen, Bytes(user_key), tx.keys());
}

bool SayFirstSeen(const Context& context, BytesView user_key, const pb::FirstSeen& seen) {
  const Bytes subject = FirstSeenSubject(context.tx, user_key, seen.identity().deletions());
  const std::string& region = context.region().value();
  SYMBOLON_CHECK(region.size() <= 0xff);
  Bytes element(1, static_cast<char>(region.size()));
  element += region;
  AppendBigEndian64(element, static_cast<std::uint64_t>(seen.seen_micros()));
  element += context.tx.keys().Seal(PlaceOf(context.tx, subject), seen.SerializeAsString(), context.env.random());
  if (element.size() > kFirstSeenBytesMax) return false;
  FactValue said;
  said.add_elements(std::move(element));
  context.tx.JoinFact(kType, subject, said);
  return true;
}

void RefuseFirstSeen(directory::Transaction& tx, const Bytes& subject, Timestamp now) {
  FactValue refused;
  refused.set_maximum(1);
  refused.set_expires_at_micros(ToMicros(now + kRefusedMemory));
  tx.JoinFact(kType, subject, refused);
}

void EndFirstSeen(directory::Transaction& tx, const Bytes& subject, Timestamp now) {
  FactValue ended;
  ended.set_expires_at_micros(ToMicros(now + kFactMargin));
  tx.JoinFact(kType, subject, ended);
}

}  // namespace symbolon::auth
