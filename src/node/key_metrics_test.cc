#include "node/key_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "directory/record_types.h"
#include "directory/records.pb.h"
#include "directory/test_store.h"
#include "keys/local/test_support.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

using directory::RecordType;
using directory::pb::ReencryptionRecord;
using keys::KeyErrorCode;
using ::testing::HasSubstr;

const Region kHere("eu-central-1");
const PoolId kPool("eu-central-1_TestPool1");
constexpr const char* kAccount = "000000000000";

class KeyMetricsTest : public testing::Test {
 protected:
  static storage::Key Key(RecordType type) {
    return {.space = storage::Space::kDirectory, .pool = kPool, .type = static_cast<std::uint16_t>(type), .id = {}};
  }
  void MakePool() {
    storage::Commit commit{.pool = kPool};
    commit.start_epoch_counter = 1;
    commit.directory.push_back({Key(RecordType::kRole), replication::SerializeRole(replication::NewRoleRecord(kHere))});
    commit.directory.push_back({Key(RecordType::kWrappedKeys), keyring_.MakeKeys(kPool, cmk_)->wrapped});
    Submit(std::move(commit));
  }
  void Store(const ReencryptionRecord& record) {
    storage::Commit commit{.pool = kPool};
    commit.directory.push_back({Key(RecordType::kReencryption), record.SerializeAsString()});
    Submit(std::move(commit));
  }
  void Submit(storage::Commit commit) {
    std::promise<storage::StoreResult<storage::Committed>> done;
    store_.store().Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
    ASSERT_TRUE(done.get_future().get());
  }
  bool IsOpen() { return keyring_.KeysOf(*store_.store().MakeSnapshot(), kPool).has_value(); }
  Metrics::Readings::Keys Read() {
    Metrics::Readings::Keys readings;
    ReadKeys(store_.store(), keyring_, reencryption_, clock_.Now(), readings);
    return readings;
  }

  ManualClock clock_;
  TemporaryDirectory directory_;
  directory::TestStore store_{kHere.value(), clock_};
  std::unique_ptr<keys::local::LocalKeyProvider> kms_ =
      keys::local::LocalKeyProvider::Open(
          {.directory = directory_.path() / "keys", .region = kHere, .account = kAccount}, clock_, store_.random())
          .value();
  const std::string cmk_ = kms_->CreateKey({})->get()->arn;
  Metrics metrics_{kHere};
  MeteredKeyProvider metered_{*kms_, metrics_, clock_};
  keys::Keyring keyring_{
      metered_, {.region = kHere, .account = kAccount, .service_owned_key_arn = cmk_}, clock_, store_.random()};
  replication::DurableCommits commits_{store_.store(), nullptr};
  key_life::Reencryption reencryption_{{.store = store_.store(),
                                        .keys = keyring_,
                                        .commits = commits_,
                                        .clock = clock_,
                                        .random = store_.random(),
                                        .here = kHere},
                                       {},
                                       {}};
};

TEST_F(KeyMetricsTest, LockedAndLostPoolsAreCountedByTheirReason) {
  MakePool();
  ASSERT_TRUE(IsOpen());
  EXPECT_EQ(Read().locked.size(), 6u);
  for (const auto& [reason, count] : Read().locked) EXPECT_EQ(count, 0u) << reason;
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  keyring_.Recheck(cmk_);
  EXPECT_EQ(Read().locked.at("disabled"), 1u);
  ASSERT_TRUE(kms_->EnableKey(cmk_));
  keyring_.Recheck(cmk_);
  EXPECT_EQ(Read().locked.at("disabled"), 0u);
  EXPECT_EQ(Read().lost, 0u);

  kms_->SetChangeListener([this](const std::string& arn) { keyring_.Recheck(arn); });
  ASSERT_TRUE(kms_->ScheduleDeletion(cmk_, 7));
  EXPECT_EQ(Read().locked.at("pending_deletion"), 1u);
  clock_.Advance(std::chrono::days(7));
  keys::local::DirectTransport nobody(kHere);
  kms_->Tick(nobody);
  EXPECT_EQ(Read().locked.at("pending_deletion"), 0u);
  EXPECT_EQ(Read().lost, 1u);
  std::vector<prometheus::MetricFamily> families;
  AddKeys(Read(), families);
  const auto lost = std::ranges::find(families, "symbolon_pools_lost", &prometheus::MetricFamily::name);
  ASSERT_NE(lost, families.end());
  EXPECT_EQ(lost->metric.at(0).gauge.value, 1);
}

TEST_F(KeyMetricsTest, AgeIsThatOfTheKeyThatSeals) {
  MakePool();
  clock_.Advance(std::chrono::hours(5));
  const auto keys = Read().data_keys;
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.front().pool, kPool);
  EXPECT_EQ(keys.front().age, std::chrono::hours(5));
}

TEST_F(KeyMetricsTest, ReencryptionIsShownWhileItIsUnderWay) {
  MakePool();
  EXPECT_TRUE(Read().reencryptions.empty());
  ReencryptionRecord record;
  record.set_records_done(3);
  record.set_records_total(9);
  record.set_records_per_second(1.5);
  Store(record);
  const auto under_way = Read().reencryptions;
  ASSERT_EQ(under_way.size(), 1u);
  EXPECT_EQ(under_way.front().records_done, 3u);
  EXPECT_EQ(under_way.front().records_expected, 9u);
  EXPECT_EQ(under_way.front().records_per_second, 1.5);
  EXPECT_FALSE(under_way.front().waits);
  record.set_state(ReencryptionRecord::DONE);
  Store(record);
  EXPECT_TRUE(Read().reencryptions.empty());
}

TEST_F(KeyMetricsTest, CallsAreCountedByOutcome) {
  const Bytes wrapped = metered_.GenerateDataKeyWithoutPlaintext(cmk_, {}).value();
  ASSERT_TRUE(metered_.Decrypt(cmk_, {}, wrapped));
  ASSERT_TRUE(metered_.DescribeKey(cmk_));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  EXPECT_EQ(metered_.Encrypt(cmk_, {}, "x").error().code, KeyErrorCode::kDisabled);
  const std::string text = metrics_.Text();
  for (const char* line :
       {"symbolon_key_calls_total{operation=\"GenerateDataKeyWithoutPlaintext\",outcome=\"ok\",provider=\"local\"} 1\n",
        "symbolon_key_calls_total{operation=\"Decrypt\",outcome=\"ok\",provider=\"local\"} 1\n",
        "symbolon_key_calls_total{operation=\"DescribeKey\",outcome=\"ok\",provider=\"local\"} 1\n",
        "symbolon_key_calls_total{operation=\"Encrypt\",outcome=\"disabled\",provider=\"local\"} 1\n",
        "symbolon_key_call_duration_seconds_count{operation=\"Encrypt\",provider=\"local\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace symbolon::node
