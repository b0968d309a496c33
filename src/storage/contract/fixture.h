// What the parts of the contract suite (storage/contract_test.h) share.
#pragma once

#include <functional>
#include <thread>

#include "storage/store_test_support.h"

namespace symbolon::storage {

struct ContractParam {
  std::string name;
  // A new, empty medium.
  std::function<std::unique_ptr<TestMedium>()> make;
};

inline std::string ContractName(const testing::TestParamInfo<ContractParam>& info) { return info.param.name; }

class StoreContract : public testing::TestWithParam<ContractParam> {
 protected:
  StoreContract() : medium_(GetParam().make()) { medium_->Open(kRegion); }

  Store& store() { return medium_->store(); }
  void Reopen() {
    medium_->Close();
    medium_->Open(kRegion);
  }
  Committed MustCommitAt(Store& at, Commit commit) {
    StoreResult<Committed> result = SubmitAndWait(at, std::move(commit));
    EXPECT_TRUE(result) << result.error().detail;
    return result ? *result : Committed();
  }
  Committed MustCommit(Commit commit) { return MustCommitAt(store(), std::move(commit)); }
  pb::Head HeadNow(const PoolId& pool = kTestPool) {
    const StoreResult<std::optional<pb::Head>> head = store().MakeSnapshot()->Head(pool);
    EXPECT_TRUE(head && *head);
    return head && *head ? **head : pb::Head();
  }

  // A store of another Region, made at the first call.
  Store& other() {
    if (!other_medium_) {
      other_medium_ = GetParam().make();
      other_medium_->Open(kOtherRegion);
    }
    return other_medium_->store();
  }
  // Ships what `to` lacks of the log of `from`.
  static void Replicate(Store& from, Store& to, const PoolId& pool = kTestPool) {
    const StoreResult<std::optional<pb::Head>> head = to.MakeSnapshot()->Head(pool);
    ASSERT_TRUE(head);
    StoreResult<std::vector<pb::LogEntry>> entries = from.ReadLog(pool, *head ? (*head)->sequence() + 1 : 1, 1 << 20);
    ASSERT_TRUE(entries) << entries.error().detail;
    const StoreResult<pb::Head> applied = ApplyAndWait(to, pool, *std::move(entries));
    ASSERT_TRUE(applied) << applied.error().detail;
  }

  static inline const Region kRegion{"eu-central-1"};
  static inline const Region kOtherRegion{"us-east-1"};
  std::unique_ptr<TestMedium> medium_;
  std::unique_ptr<TestMedium> other_medium_;
};

}  // namespace symbolon::storage
