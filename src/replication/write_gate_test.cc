#include "replication/write_gate.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

const PoolId kPool("eu-central-1_Pool00001");
const PoolId kOtherPool("eu-central-1_Pool00002");

Instant At(int seconds) { return {FromSeconds(seconds), std::chrono::seconds(seconds)}; }

TEST(WriteGateTest, AllWaitUntilItOpensForTheFirstTime) {
  WriteGate gate(std::chrono::seconds(4));
  int passed = 0;
  EXPECT_FALSE(gate.IsOpen(kPool));
  gate.Await(kPool, [&] { ++passed; });
  gate.Await(kOtherPool, [&] { ++passed; });
  gate.Set(kOtherPool, false);
  EXPECT_EQ(passed, 0);
  gate.Open();
  EXPECT_EQ(passed, 1);
  EXPECT_TRUE(gate.IsOpen(kPool));
  EXPECT_FALSE(gate.IsOpen(kOtherPool));
  gate.Set(kOtherPool, true);
  EXPECT_EQ(passed, 2);
  gate.Await(kPool, [&] { ++passed; });
  EXPECT_EQ(passed, 3);
}

TEST(WriteGateTest, NobodyWaitsForLongerThanTheLimit) {
  WriteGate gate(std::chrono::seconds(4));
  gate.Open();
  gate.Set(kPool, false);
  int passed = 0;
  gate.Await(kPool, [&] { ++passed; });
  gate.OnTick(At(10));
  gate.OnTick(At(13));
  EXPECT_EQ(passed, 0);
  gate.OnTick(At(14));
  EXPECT_EQ(passed, 1);
  EXPECT_FALSE(gate.IsOpen(kPool));
}

TEST(WriteGateTest, ItsEndLetsEverybodyGo) {
  int passed = 0;
  {
    WriteGate gate(std::chrono::seconds(4));
    gate.Await(kPool, [&] { ++passed; });
  }
  EXPECT_EQ(passed, 1);
}

TEST(WriteGateTest, ShutUnlessSet_OpensForPoolsThatTheMachineNames) {
  WriteGate gate(std::chrono::seconds(1), /*open_unless_set=*/false);
  gate.Open();
  const PoolId pool("eu-central-1_Pool00001");
  EXPECT_FALSE(gate.IsOpen(pool));
  int told = 0;
  gate.Await(pool, [&] { ++told; });
  gate.Set(pool, true);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(gate.IsOpen(pool));
  gate.Set(pool, false);
  gate.Await(pool, [&] { ++told; });
  EXPECT_EQ(told, 1);
  gate.Forget(pool);
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(gate.IsOpen(pool));
}

}  // namespace
}  // namespace symbolon::replication
