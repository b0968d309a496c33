// Distinct types for identifiers, so that one cannot be passed for another.
#pragma once

#include <atomic>
#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"

namespace symbolon {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const Id&) const = default;
  bool operator==(const Id&) const = default;

 private:
  std::string value_;
};

// "eu-central-1_AbC123xyz"; the part before the '_' names the Region in which the pool was born.
using PoolId = Id<struct PoolIdTag>;
// An app client, 26 characters [0-9a-z].
using ClientId = Id<struct ClientIdTag>;
// "eu-central-1".
using Region = Id<struct RegionTag>;

// "eu-central-1" of "eu-central-1_AbC123xyz"; the whole id when it has no '_'.
Region BirthRegion(const PoolId& pool);
// The part after the first '_', which SRP calls the pool's name.
std::string_view PoolName(const PoolId& pool);

// Whether the text may be a pool's id, as the API bounds it: [\w-]+_[0-9a-zA-Z]+, at most 55 characters.
bool IsPoolId(std::string_view text);

// A new random id of a pool born in `region`.
PoolId NewPoolId(const Region& region, Random& random);
ClientId NewClientId(Random& random);
// RFC 9562 version 4, lower case.
std::string NewUuid(Random& random);

// Ids in a UUID's form that are unique and no secret, such as those of requests, for a fraction of a random one's cost.
// Thread-safe.
class SerialUuids {
 public:
  explicit SerialUuids(Random& random);
  std::string Next();

 private:
  // Random, of this object.
  Bytes prefix_;
  std::atomic<std::uint64_t> count_;
};

// `count` characters, each uniform over `alphabet` (at most 256 characters).
std::string RandomText(Random& random, std::size_t count, std::string_view alphabet);

inline constexpr std::string_view kDigits = "0123456789";
inline constexpr std::string_view kLowerAlphanumeric = "0123456789abcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view kAlphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

}  // namespace symbolon

template <class Tag>
struct std::hash<symbolon::Id<Tag>> {
  std::size_t operator()(const symbolon::Id<Tag>& id) const noexcept { return std::hash<std::string>()(id.value()); }
};
