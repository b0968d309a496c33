#include "storage/keys.h"

#include <algorithm>

namespace symbolon::storage::keys {
namespace {

Bytes Table(char table, BytesView name) {
  Bytes key;
  key.reserve(64);
  key.push_back(table);
  key.append(name);
  key.push_back('\0');
  return key;
}
Bytes Table(char table, const PoolId& pool) { return Table(table, pool.value()); }

// The name that starts at `position`, which moves behind its NUL.
Bytes TakeName(BytesView key, std::size_t& position) {
  const std::size_t end = key.find('\0', position);
  SYMBOLON_CHECK(end != BytesView::npos);
  Bytes name(key.substr(position, end - position));
  position = end + 1;
  return name;
}

// What `table` holds of one Region's fact log.
Bytes OfFactLog(char table, const PoolId& pool, BytesView region, BytesView incarnation) {
  Bytes key = Table(table, pool);
  key.append(region);
  key.push_back('\0');
  SYMBOLON_CHECK(incarnation.size() <= 255);
  key.push_back(static_cast<char>(incarnation.size()));
  key.append(incarnation);
  return key;
}

}  // namespace

Bytes Meta(BytesView name) { return Bytes("m").append(name); }

Bytes PoolState(const PoolId& pool) { return Table('p', pool); }
Bytes History(const PoolId& pool) { return Table('e', pool); }
Bytes Staging(const PoolId& pool) { return Table('s', pool); }
Bytes Horizon(const PoolId& pool) { return Table('h', pool); }
Bytes FactIncarnation(const PoolId& pool) { return Table('n', pool); }
Bytes Promise(const PoolId& pool) { return Table('q', pool); }

Bytes TypeAndId(std::uint16_t type, BytesView id) {
  Bytes key;
  key.reserve(2 + id.size());
  AppendBigEndian16(key, type);
  key.append(id);
  return key;
}

Bytes Record(const PoolId& pool, std::uint64_t generation, BytesView type_and_id) {
  return Records(pool, generation).append(type_and_id);
}

Bytes LogEntry(const PoolId& pool, std::uint64_t generation, std::uint64_t sequence) {
  Bytes key = LogEntries(pool, generation);
  AppendBigEndian64(key, sequence);
  return key;
}

Bytes Regional(const PoolId& pool, std::uint16_t type, BytesView id) {
  Bytes key = Table('r', pool);
  AppendBigEndian16(key, type);
  key.append(id);
  return key;
}

Bytes Fact(const PoolId& pool, BytesView type_and_id) { return Table('f', pool).append(type_and_id); }

Bytes FactProgress(const PoolId& pool, BytesView region, BytesView incarnation) {
  Bytes key = FactProgresses(pool);
  key.append(region);
  key.push_back('\0');
  key.append(incarnation);
  return key;
}

Bytes FactEntry(const PoolId& pool, BytesView region, BytesView incarnation, std::uint64_t number) {
  Bytes key = OfFactLog('o', pool, region, incarnation);
  AppendBigEndian64(key, number);
  return key;
}

Bytes FactMention(const PoolId& pool, BytesView region, BytesView incarnation, BytesView type_and_id) {
  return OfFactLog('k', pool, region, incarnation).append(type_and_id);
}

Bytes FactRepetition(const PoolId& pool, BytesView region, BytesView incarnation, std::uint64_t number) {
  Bytes key = OfFactLog('u', pool, region, incarnation);
  AppendBigEndian64(key, number);
  return key;
}

Bytes Expiry(const PoolId& pool, std::int64_t expires_at_micros, BytesView engine_key) {
  SYMBOLON_CHECK(expires_at_micros > 0);
  Bytes key = Expiries(pool);
  AppendBigEndian64(key, static_cast<std::uint64_t>(expires_at_micros));
  key.append(engine_key);
  return key;
}

Bytes Logical(const Key& key, std::uint64_t generation) {
  switch (key.space) {
    case Space::kDirectory:
      return Record(key.pool, generation, TypeAndId(key.type, key.id));
    case Space::kRegional:
      return Regional(key.pool, key.type, key.id);
    case Space::kFact:
      return Fact(key.pool, TypeAndId(key.type, key.id));
  }
  SYMBOLON_CHECK(!"a space");
  return {};
}

Bytes PrefixEnd(Bytes prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  SYMBOLON_CHECK(!prefix.empty());
  ++prefix.back();
  return prefix;
}

Bytes PoolStates() { return "p"; }
Bytes FactIncarnations() { return "n"; }

Bytes Records(const PoolId& pool, std::uint64_t generation) {
  Bytes key = Table('d', pool);
  AppendBigEndian64(key, generation);
  return key;
}

Bytes LogEntries(const PoolId& pool, std::uint64_t generation) {
  Bytes key = Table('l', pool);
  AppendBigEndian64(key, generation);
  return key;
}

Bytes FactProgresses(const PoolId& pool) { return Table('g', pool); }
Bytes FactEntries(const PoolId& pool, BytesView region, BytesView incarnation) {
  return OfFactLog('o', pool, region, incarnation);
}
Bytes Expiries() { return "x"; }
Bytes Expiries(const PoolId& pool) { return Table('x', pool); }

Bytes DirectoryOf(const PoolId& pool) { return Table('d', pool); }
Bytes LogsOf(const PoolId& pool) { return Table('l', pool); }

std::vector<Bytes> FactsOf(const PoolId& pool) {
  std::vector<Bytes> prefixes;
  for (char table : {'f', 'g', 'o', 'k', 'u', 'x', 'h'}) prefixes.push_back(Table(table, pool));
  return prefixes;
}

std::vector<Bytes> EverythingOf(const PoolId& pool) {
  std::vector<Bytes> prefixes;
  for (char table : {'p', 'e', 'd', 'l', 's', 'r', 'f', 'g', 'o', 'k', 'u', 'x', 'h'})
    prefixes.push_back(Table(table, pool));
  return prefixes;
}

PoolId PoolOfPoolState(BytesView engine_key) {
  std::size_t position = 1;
  return PoolId(TakeName(engine_key, position));
}

ParsedProgress ParseFactProgress(const PoolId& pool, BytesView engine_key) {
  std::size_t position = FactProgresses(pool).size();
  ParsedProgress parsed;
  parsed.region = TakeName(engine_key, position);
  parsed.incarnation = Bytes(engine_key.substr(position));
  return parsed;
}

ParsedExpiry ParseExpiry(BytesView engine_key) {
  std::size_t position = 1;
  ParsedExpiry parsed;
  parsed.pool = PoolId(TakeName(engine_key, position));
  SYMBOLON_CHECK(engine_key.size() >= position + 8);
  parsed.expires_at_micros = static_cast<std::int64_t>(ReadBigEndian64(engine_key.substr(position)));
  parsed.engine_key = Bytes(engine_key.substr(position + 8));
  return parsed;
}

std::optional<Bytes> ParseFact(const PoolId& pool, BytesView engine_key) {
  const Bytes prefix = Fact(pool, "");
  if (!engine_key.starts_with(prefix)) return std::nullopt;
  return Bytes(engine_key.substr(prefix.size()));
}

Bytes Window(Space space, const PoolId& pool, BytesView type_and_id) {
  return Table(static_cast<char>(space), pool).append(type_and_id);
}
Bytes Window(const Key& key) { return Window(key.space, key.pool, TypeAndId(key.type, key.id)); }
Bytes Window(const KeyRange& range) { return Window(range.space, range.pool, TypeAndId(range.type, range.id_prefix)); }

bool WellFormedName(BytesView name) { return name.size() <= kNameBytesMax && name.find('\0') == BytesView::npos; }

}  // namespace symbolon::storage::keys
