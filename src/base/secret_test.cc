#include "base/secret.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace symbolon {
namespace {

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);

TEST(Secret, MoveEmptiesTheSourceAndKeepsTheOctets) {
  Secret first(Bytes("correct horse battery staple"));
  Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT: the moved-from state is what is tested
  EXPECT_EQ(second.view(), "correct horse battery staple");
  first = std::move(second);
  EXPECT_EQ(first.view(), "correct horse battery staple");
}

TEST(Secret, ClearWipesTheBufferInPlace) {
  Secret secret(Bytes(100, 'k'));
  const char* buffer = secret.view().data();
  const std::size_t size = secret.size();
  secret.Clear();
  EXPECT_TRUE(secret.empty());
  // Clear keeps the buffer, so it may still be looked at (its size is below its capacity).
  for (std::size_t i = 1; i < size; ++i) ASSERT_NE(buffer[i], 'k') << i;
}

}  // namespace
}  // namespace symbolon
