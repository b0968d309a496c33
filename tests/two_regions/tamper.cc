// symbolon_tamper STORE POOL TYPE INDEX change|remove|add: writes to the store of a node that is not running behind its
// back, as a failing disk or somebody with access to it would. STORE is the node's data_dir/store. Takes the record
// number INDEX of that type in the pool's directory, in key order, and flips a bit of it, removes it, or adds another
// whose key is its with the last octet changed. Prints the record's key (without its type) in hexadecimal.
//
// symbolon_tamper STORE POOL rewrite: changes what the newest entry of the pool's log says, with its digest and the
// head, so that the log is one in itself. Prints the entry's sequence.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "storage/keys.h"
#include "storage/local_store.pb.h"
#include "storage/log.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::storage {
namespace {

struct Target {
  PoolId pool;
  std::uint16_t type = 0;
  std::uint64_t index = 0;
  std::string_view what;
};

auto Missing(std::string what) { return Err(StoreError{StoreErrorCode::kGap, std::move(what)}); }

StoreResult<std::pair<Bytes, Bytes>> Find(Engine& engine, const Target& target) {
  SYMBOLON_TRY(const std::optional<Bytes> stored, engine.Get(keys::PoolState(target.pool)));
  pb::PoolState state;
  if (!stored || !state.ParseFromString(*stored)) return Missing("the pool is not here");
  const Bytes prefix = keys::Record(target.pool, state.generation(), keys::TypeAndId(target.type, ""));
  const auto snapshot = engine.MakeSnapshot();
  const auto records = snapshot->Iterate(prefix, keys::PrefixEnd(prefix));
  for (std::uint64_t i = 0; i < target.index && records->Valid(); ++i) records->Next();
  SYMBOLON_TRY_VOID(records->status());
  if (!records->Valid()) return Missing("there is no such record");
  return std::pair(Bytes(records->key()), Bytes(records->value()));
}

StoreResult<Bytes> Tamper(const std::string& directory, const Target& target) {
  SYMBOLON_TRY(const auto engine, OpenRocksDb({.directory = directory}));
  SYMBOLON_TRY(auto record, Find(*engine, target));
  auto& [key, value] = record;
  EngineBatch batch;
  if (target.what == "remove") {
    batch.Delete(key);
  } else {
    if (target.what == "change") value.back() = static_cast<char>(value.back() ^ 1);
    if (target.what == "add") key.back() = static_cast<char>(key.back() ^ 1);
    batch.Put(key, value);
  }
  SYMBOLON_TRY_VOID(engine->Write(batch));
  const std::size_t before_id = keys::Record(target.pool, 0, keys::TypeAndId(target.type, "")).size();
  return key.substr(before_id);
}

StoreResult<std::uint64_t> RewriteNewestEntry(const std::string& directory, const PoolId& pool) {
  SYMBOLON_TRY(const auto engine, OpenRocksDb({.directory = directory}));
  SYMBOLON_TRY(const std::optional<Bytes> stored, engine->Get(keys::PoolState(pool)));
  pb::PoolState state;
  if (!stored || !state.ParseFromString(*stored)) return Missing("the pool is not here");
  const Bytes key = keys::LogEntry(pool, state.generation(), state.head().sequence());
  SYMBOLON_TRY(const std::optional<Bytes> octets, engine->Get(key));
  pb::LogEntry entry;
  if (!octets || !entry.ParseFromString(*octets) || entry.changes().empty()) return Missing("no entry is kept");
  pb::LogChange& change = *entry.mutable_changes(0);
  change.mutable_value()->back() = static_cast<char>(change.value().back() ^ 1);
  change.set_value_digest(ValueDigest(change.value()));
  state.mutable_head()->set_digest(EntryDigest(entry));
  EngineBatch batch;
  batch.Put(key, entry.SerializeAsString());
  batch.Put(keys::Record(pool, state.generation(), change.key()), Bytes(change.value()));
  batch.Put(keys::PoolState(pool), state.SerializeAsString());
  SYMBOLON_TRY_VOID(engine->Write(batch));
  return entry.sequence();
}

int Main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[3]) == "rewrite") {
    const auto sequence = RewriteNewestEntry(argv[1], PoolId(argv[2]));
    if (!sequence) {
      fmt::print(stderr, "symbolon_tamper: {}\n", sequence.error().detail);
      return 1;
    }
    fmt::print("{}\n", *sequence);
    return 0;
  }
  const auto number = [](std::string_view text, auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  Target target;
  const bool understood = argc == 6 && number(argv[3], target.type) && number(argv[4], target.index);
  if (understood) target.what = argv[5];
  if (target.what != "change" && target.what != "remove" && target.what != "add") {
    fmt::print(stderr,
               "usage: symbolon_tamper STORE POOL TYPE INDEX change|remove|add\n"
               "       symbolon_tamper STORE POOL rewrite\n");
    return 2;
  }
  target.pool = PoolId(argv[2]);
  const auto key = Tamper(argv[1], target);
  if (!key) {
    fmt::print(stderr, "symbolon_tamper: {}\n", key.error().detail);
    return 1;
  }
  fmt::print("{}\n", HexEncode(*key));
  return 0;
}

}  // namespace
}  // namespace symbolon::storage

int main(int argc, char** argv) { return symbolon::storage::Main(argc, argv); }
