#include "directory/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/test_store.h"
#include "directory/users.h"

namespace symbolon::directory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const PoolId kPool("eu-central-1_Pool");
const Bytes kAlice(16, 'a');
const Bytes kBob(16, 'b');

class DevicesTest : public testing::Test {
 protected:
  DevicesTest() {
    store_.Change(kPool, [](Transaction& tx) { tx.PutClear(RecordType::kRole, "", "role"); });
  }
  void Put(const Bytes& user_key, const std::string& device_key, const std::string& name = "") {
    store_.Change(kPool, [&](Transaction& tx) {
      pb::DeviceRecord device;
      device.set_device_key(device_key);
      device.set_name(name);
      PutDevice(tx, user_key, device);
    });
  }
  std::vector<std::string> Keys(const Bytes& user_key) {
    return store_.See(kPool, [&](Transaction& tx) {
      std::vector<std::string> keys;
      for (const auto& row : DevicesOf(tx, user_key)) keys.push_back(row.record.device_key());
      return keys;
    });
  }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
};

TEST_F(DevicesTest, DeviceIsItsUsersAlone) {
  Put(kAlice, "one", "phone");
  Put(kAlice, "two");
  Put(kBob, "three");
  EXPECT_THAT(Keys(kAlice), UnorderedElementsAre("one", "two"));
  EXPECT_THAT(Keys(kBob), ElementsAre("three"));
  store_.See(kPool, [&](Transaction& tx) {
    EXPECT_EQ(GetDevice(tx, kAlice, "one")->name(), "phone");
    EXPECT_FALSE(GetDevice(tx, kBob, "one"));
    EXPECT_FALSE(GetDevice(tx, kAlice, "three"));
    return true;
  });
  store_.Change(kPool, [&](Transaction& tx) { DeleteDevice(tx, kAlice, "one"); });
  EXPECT_THAT(Keys(kAlice), ElementsAre("two"));
}

TEST_F(DevicesTest, RecordLiesUnderItsUsersKeyAndShowsNoDeviceKey) {
  store_.See(kPool, [&](Transaction& tx) {
    const Bytes id = DeviceIdOf(tx, kAlice, "eu-central-1_5c2f");
    EXPECT_TRUE(id.starts_with(kAlice));
    EXPECT_EQ(id.find("5c2f"), Bytes::npos);
    return true;
  });
}

TEST_F(DevicesTest, UserWhoIsDeletedTakesTheDevicesAlong) {
  Put(kAlice, "one");
  Put(kAlice, "two");
  Put(kBob, "three");
  User alice{.key = kAlice, .record = {}};
  alice.record.set_username("alice");
  alice.record.set_sub("sub");
  store_.Change(kPool, [&](Transaction& tx) { DeleteUser(tx, {}, alice); });
  EXPECT_THAT(Keys(kAlice), IsEmpty());
  EXPECT_THAT(Keys(kBob), ElementsAre("three"));
}

TEST_F(DevicesTest, WhoeverTakesANameAnewHasNoDeviceOfItsEarlierUser) {
  Put(kAlice, "left behind");
  User alice{.key = kAlice, .record = {}};
  alice.record.set_username("alice");
  alice.record.set_sub("another sub");
  store_.Change(kPool, [&](Transaction& tx) { EXPECT_TRUE(InsertUser(tx, {}, alice, OnAliasConflict::kRefuse)); });
  EXPECT_THAT(Keys(kAlice), IsEmpty());
}

}  // namespace
}  // namespace symbolon::directory
