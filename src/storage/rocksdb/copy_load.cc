// copy_load DIR: receives a copy into the store in DIR, from where it stood, until it is killed or complete, and prints
// after every piece how many records are durable.
#include "storage/rocksdb/copy_load.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "crypto/random.h"
#include "storage/local_store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::storage {
namespace {

StoreResult<void> Receive(Store& store) {
  SYMBOLON_TRY_VOID(store.BeginStaging(kCopyPool, CopyHead(), CopyHistory()));
  SYMBOLON_TRY(const std::optional<Store::Staging> staging, store.FindStaging(kCopyPool));
  std::uint64_t count = staging->records;
  while (count < kCopyRecords) {
    const std::vector<Record> piece = CopyPieceFrom(count);
    SYMBOLON_TRY_VOID(store.WriteStaging(kCopyPool, piece));
    count += piece.size();
    const std::string line = std::to_string(count) + "\n";
    // One write, so that a kill leaves no half of a line but the last.
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
  }
  return {};
}

StoreResult<void> Run(const std::string& directory) {
  RocksDbOptions engine_options;
  engine_options.directory = directory;
  engine_options.headroom_bytes = 0;
  SYMBOLON_TRY(auto engine, OpenRocksDb(engine_options));
  LocalStore::Options options;
  options.region = Region("eu-central-1");
  options.clock = &SystemClock();
  options.random = &crypto::SystemRandom();
  SYMBOLON_TRY(auto store, LocalStore::Open(std::move(engine), options));
  return Receive(*store);
}

}  // namespace
}  // namespace symbolon::storage

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: copy_load DIR\n");
    return 2;
  }
  const auto done = symbolon::storage::Run(argv[1]);
  if (!done) std::fprintf(stderr, "copy_load: %s\n", done.error().detail.c_str());
  return done ? 0 : 1;
}
