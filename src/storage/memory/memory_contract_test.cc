#include "storage/contract_test.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::storage {
namespace {

class MemoryMedium final : public LocalStoreMedium {
 public:
  ~MemoryMedium() override { Close(); }

 private:
  StoreResult<std::unique_ptr<Engine>> OpenEngine() override { return MakeMemoryEngine(disk_); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

INSTANTIATE_TEST_SUITE_P(, StoreContract,
                         testing::Values(ContractParam{"Memory", [] { return std::make_unique<MemoryMedium>(); }}),
                         ContractName);

}  // namespace
}  // namespace symbolon::storage
