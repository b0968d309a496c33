// How LocalStore lays its tables out over an engine's keys. One octet names the table; names end with NUL, numbers are
// big-endian, so that engine keys sort as what they stand for.
//
//   m name                                              meta: format, incarnation, region
//   p pool 0                                            pb::PoolState
//   e pool 0                                            pb::History
//   d pool 0 generation(8) type(2) id                   records of kDirectory
//   l pool 0 generation(8) sequence(8)                  pb::LogEntry
//   s pool 0                                            pb::StagingState
//   r pool 0 type(2) id                                 records of kRegional
//   f pool 0 type(2) id                                 pb::FactValue of kFact
//   g pool 0 region 0 incarnation                       the last number of that fact log known here (8)
//   o pool 0 region 0 size of incarnation(1) incarnation number(8)   pb::FactEntry
//   k pool 0 region 0 size of incarnation(1) incarnation type(2) id   the number of that log's last entry about the
//   fact (8) u pool 0 region 0 size of incarnation(1) incarnation number(8)    the number of an earlier entry, which
//   this one says
//                                                       again (8)
//   x pool 0 expiry(8) engine key of a fact or fact entry            empty: what expires when
//   n pool 0                                            under which incarnation this store numbers its own facts of the
//                                                       pool, when it is not the store's own; outlives DropPool
//   q pool 0                                            pb::Epoch: the highest one promised; outlives DropPool
//   h pool 0                                            the horizon: every fact that expires before it may have been
//                                                       forgotten (microseconds, 8)
#pragma once

#include <cstdint>
#include <span>

#include "storage/store.h"

namespace symbolon::storage::keys {

inline constexpr std::uint64_t kFirstGeneration = 1;

Bytes Meta(BytesView name);

Bytes PoolState(const PoolId& pool);
Bytes History(const PoolId& pool);
Bytes Staging(const PoolId& pool);
Bytes Horizon(const PoolId& pool);
Bytes FactIncarnation(const PoolId& pool);
Bytes Promise(const PoolId& pool);

// type(2) ‖ id, the name of a record within its space and pool.
Bytes TypeAndId(std::uint16_t type, BytesView id);

Bytes Record(const PoolId& pool, std::uint64_t generation, BytesView type_and_id);
Bytes LogEntry(const PoolId& pool, std::uint64_t generation, std::uint64_t sequence);
Bytes Regional(const PoolId& pool, std::uint16_t type, BytesView id);
Bytes Fact(const PoolId& pool, BytesView type_and_id);
Bytes FactProgress(const PoolId& pool, BytesView region, BytesView incarnation);
Bytes FactEntry(const PoolId& pool, BytesView region, BytesView incarnation, std::uint64_t number);
Bytes FactMention(const PoolId& pool, BytesView region, BytesView incarnation, BytesView type_and_id);
Bytes FactRepetition(const PoolId& pool, BytesView region, BytesView incarnation, std::uint64_t number);
Bytes Expiry(const PoolId& pool, std::int64_t expires_at_micros, BytesView engine_key);

// `generation` matters in kDirectory only.
Bytes Logical(const Key& key, std::uint64_t generation);

// All keys with these octets in front lie in [prefix, PrefixEnd(prefix)).
Bytes PrefixEnd(Bytes prefix);
Bytes PoolStates();
Bytes FactIncarnations();
Bytes Records(const PoolId& pool, std::uint64_t generation);
Bytes LogEntries(const PoolId& pool, std::uint64_t generation);
Bytes FactProgresses(const PoolId& pool);
Bytes FactEntries(const PoolId& pool, BytesView region, BytesView incarnation);
Bytes Expiries();
Bytes Expiries(const PoolId& pool);
// Of all generations.
Bytes DirectoryOf(const PoolId& pool);
Bytes LogsOf(const PoolId& pool);
// Each table that holds something of facts.
std::vector<Bytes> FactsOf(const PoolId& pool);
// One prefix for each table that holds something of pools; all that DropPool removes lies under them.
std::vector<Bytes> EverythingOf(const PoolId& pool);

// Taking engine keys apart. The key must be of that table.
PoolId PoolOfPoolState(BytesView engine_key);
struct ParsedProgress {
  Bytes region;
  Bytes incarnation;
};
ParsedProgress ParseFactProgress(const PoolId& pool, BytesView engine_key);
struct ParsedExpiry {
  PoolId pool;
  std::int64_t expires_at_micros;
  Bytes engine_key;
};
ParsedExpiry ParseExpiry(BytesView engine_key);
// type(2) ‖ id when the key is one of the facts of `pool`; nullopt when it is of another table.
std::optional<Bytes> ParseFact(const PoolId& pool, BytesView engine_key);

// A key as readers and the committer's window know it, whatever generation holds it: space ‖ pool 0 ‖ type ‖ id.
Bytes Window(const Key& key);
Bytes Window(const KeyRange& range);
Bytes Window(Space space, const PoolId& pool, BytesView type_and_id);

bool WellFormedName(BytesView name);

}  // namespace symbolon::storage::keys
