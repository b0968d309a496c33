#include "base/temporary_directory.h"
#include "storage/contract_test.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::storage {
namespace {

class RocksDbMedium final : public LocalStoreMedium {
 public:
  using LocalStoreMedium::LocalStoreMedium;
  ~RocksDbMedium() override { Close(); }

 private:
  StoreResult<std::unique_ptr<Engine>> OpenEngine() override {
    RocksDbOptions options;
    options.directory = directory_.path() / "store";
    return OpenRocksDb(options);
  }

  TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(, StoreContract,
                         testing::Values(ContractParam{"RocksDb", [] { return std::make_unique<RocksDbMedium>(); }},
                                         // Copies come in bulk, however small.
                                         ContractParam{"RocksDbInBulk",
                                                       [] { return std::make_unique<RocksDbMedium>(0); }}),
                         ContractName);

}  // namespace
}  // namespace symbolon::storage
