#include "simulation.h"

#include <gtest/gtest.h>

namespace symbolon::simulation {
namespace {

constexpr std::uint64_t kSeeds = 500;

TEST(SimulationTest, EveryPromiseHoldsUnderEverySeed) {
  Result sum;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Result result = Simulation(seed, Plant::kNone, false).Run();
    ASSERT_EQ(result.violation, "") << "symbolon_sim -v --seed " << seed;
    sum.crashes += result.crashes;
    sum.commits += result.commits;
    sum.facts += result.facts;
    sum.confirmed += result.confirmed;
    sum.fell_back += result.fell_back;
    sum.unconfirmed += result.unconfirmed;
    sum.held += result.held;
    sum.counters.copies_resumed += result.counters.copies_resumed;
    sum.counters.copies_taken += result.counters.copies_taken;
    sum.counters.copies_failed += result.counters.copies_failed;
    sum.counters.protocol_errors += result.counters.protocol_errors;
    sum.hand_overs += result.hand_overs;
    sum.counters.take_overs += result.counters.take_overs;
    sum.counters.step_downs += result.counters.step_downs;
    sum.counters.suffixes_set_aside += result.counters.suffixes_set_aside;
    sum.writes_set_aside += result.writes_set_aside;
  }
  // The runs came by what they are for.
  EXPECT_GT(sum.crashes, kSeeds);
  EXPECT_GT(sum.commits, kSeeds * 20);
  EXPECT_GT(sum.facts, kSeeds * 10);
  EXPECT_GT(sum.confirmed, kSeeds);
  EXPECT_GT(sum.fell_back, kSeeds / 4);
  EXPECT_GT(sum.unconfirmed, kSeeds / 10);
  EXPECT_GT(sum.held, kSeeds / 4);
  EXPECT_GT(sum.counters.copies_taken, kSeeds / 4);
  EXPECT_GT(sum.counters.copies_resumed, 0);
  EXPECT_GT(sum.counters.copies_failed, 0);
  EXPECT_GT(sum.counters.protocol_errors, 0);
  EXPECT_GT(sum.hand_overs, kSeeds / 6);
  EXPECT_GT(sum.counters.take_overs, 10);
  EXPECT_GT(sum.counters.step_downs, 3);
  EXPECT_GT(sum.counters.suffixes_set_aside, 5);
  EXPECT_GT(sum.writes_set_aside, 50);
}

TEST(SimulationTest, SameSeedIsTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(Simulation(seed, Plant::kNone, false).Run().trace_digest,
              Simulation(seed, Plant::kNone, false).Run().trace_digest);
  }
}

// Seeds that once showed a bug.
TEST(SimulationTest, BugsThatWereMendedStayMended) {
  for (const std::uint64_t seed : {4, 56, 204, 250, 260, 339, 407, 421, 465, 1437, 2120}) {
    EXPECT_EQ(Simulation(seed, Plant::kNone, false).Run().violation, "") << "symbolon_sim -v --seed " << seed;
  }
}

class PlantedBugTest : public testing::TestWithParam<Plant> {};

TEST_P(PlantedBugTest, IsFound) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (!Simulation(seed, GetParam(), false).Run().violation.empty()) return;
  }
  ADD_FAILURE() << "no seed found it";
}

INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBugTest,
                         testing::Values(Plant::kApplyWithoutPosition, Plant::kAcknowledgeBeforeDurable,
                                         Plant::kForgetFactAtRestart, Plant::kSkipEntry, Plant::kAnswerWithoutReplica,
                                         Plant::kForgetPromiseAtRestart, Plant::kPromiseWithoutFence,
                                         Plant::kHandOverWithoutEquality, Plant::kDeafToEpochs));

}  // namespace
}  // namespace symbolon::simulation
