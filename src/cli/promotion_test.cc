#include "cli/promotion.h"

#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

TEST(PromotionTest, AnAnswerNamesThePositionAndWhatMayBeSetAside) {
  EXPECT_EQ(
      DescribePromotion(R"({"UserPoolId":"p","Primary":"us-east-1","Epoch":3,"FirstSequence":42,)"
                        R"("SilentRegions":[{"Region":"eu-central-1","LastHeardSequence":57},{"Region":"x"}]})"),
      "p: us-east-1 is primary, in epoch 3 from position 42 on\n"
      "  eu-central-1 did not answer (last heard at position 57): what it has from position 42 on will be set aside\n"
      "  x did not answer (nothing was heard of it since this node started): what it has from position 42 on will be "
      "set aside\n");
  EXPECT_EQ(DescribePromotion("no JSON"), "the answer is not understood\n");
}

}  // namespace
}  // namespace symbolon::cli
