#include "storage/contract_test.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::storage {
namespace {

class MemoryMedium final : public LocalStoreMedium {
 public:
  using LocalStoreMedium::LocalStoreMedium;
  ~MemoryMedium() override { Close(); }

 private:
  StoreResult<std::unique_ptr<Engine>> OpenEngine() override { return MakeMemoryEngine(disk_); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

INSTANTIATE_TEST_SUITE_P(, StoreContract,
                         testing::Values(ContractParam{"Memory", [] { return std::make_unique<MemoryMedium>(); }},
                                         // Copies come in bulk, however small.
                                         ContractParam{"MemoryInBulk",
                                                       [] { return std::make_unique<MemoryMedium>(0); }}),
                         ContractName);

}  // namespace
}  // namespace symbolon::storage
