#include "replication/position.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "storage/log.h"
#include "storage/store.h"

namespace symbolon::replication {
namespace {

constexpr std::size_t kTextBytesMax = 512;

// What stands before `separator`, which is taken away with it.
std::optional<std::string_view> TakeUntil(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end + 1);
  return taken;
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= storage::kNameBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

std::string FormatPosition(const PoolId& pool, const storage::pb::Position& position) {
  const storage::pb::Epoch& epoch = position.epoch();
  return fmt::format("{}@{}.{}.{}/{}", position.sequence(), epoch.counter(), epoch.region(),
                     HexEncode(epoch.incarnation()), pool.value());
}

std::optional<PoolPosition> ParsePosition(std::string_view text) {
  if (text.size() > kTextBytesMax) return std::nullopt;
  const auto sequence = TakeUntil(text, '@').and_then(ParseNumber);
  const auto counter = sequence ? TakeUntil(text, '.').and_then(ParseNumber) : std::nullopt;
  const auto region = counter ? TakeUntil(text, '.') : std::nullopt;
  const auto incarnation = region ? TakeUntil(text, '/') : std::nullopt;
  if (!incarnation || !IsName(*region) || !IsName(text)) return std::nullopt;
  auto octets = HexDecode(*incarnation);
  if (!octets || octets->empty()) return std::nullopt;
  PoolPosition parsed{.pool = PoolId(std::string(text)), .position = {}};
  parsed.position.set_sequence(*sequence);
  parsed.position.mutable_epoch()->set_counter(*counter);
  parsed.position.mutable_epoch()->set_region(std::string(*region));
  parsed.position.mutable_epoch()->set_incarnation(*std::move(octets));
  return parsed;
}

Passage PassageOf(const storage::pb::Position& position, const storage::pb::History& history,
                  const std::optional<storage::pb::Head>& head) {
  if (!head || history.epochs().empty()) return Passage::kAhead;
  const auto& epochs = history.epochs();
  const auto epoch = std::ranges::find_if(
      epochs, [&](const auto& begin) { return storage::SameEpoch(begin.epoch(), position.epoch()); });
  if (epoch == epochs.end()) {
    const bool below = storage::CompareEpochs(position.epoch(), epochs.rbegin()->epoch()) < 0;
    return below ? Passage::kSetAside : Passage::kAhead;
  }
  const auto next = std::next(epoch);
  if (next != epochs.end()) {
    return position.sequence() < next->first_sequence() ? Passage::kPassed : Passage::kSetAside;
  }
  return position.sequence() <= head->sequence() ? Passage::kPassed : Passage::kAhead;
}

}  // namespace symbolon::replication
