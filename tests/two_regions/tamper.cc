// symbolon_tamper STORE POOL TYPE INDEX change|remove|add: writes to the store of a node that is not running behind its
// back, as a failing disk or somebody with access to it would. STORE is the node's data_dir/store. Takes the record
// number INDEX of that type in the pool's directory, in key order, and flips a bit of it, removes it, or adds another
// whose key is its with the last octet changed. Prints the record's key (without its type) in hexadecimal.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "storage/keys.h"
#include "storage/local_store.pb.h"
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

int Main(int argc, char** argv) {
  const auto number = [](std::string_view text, auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  Target target;
  const bool understood = argc == 6 && number(argv[3], target.type) && number(argv[4], target.index);
  if (understood) target.what = argv[5];
  if (target.what != "change" && target.what != "remove" && target.what != "add") {
    fmt::print(stderr, "usage: symbolon_tamper STORE POOL TYPE INDEX change|remove|add\n");
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
