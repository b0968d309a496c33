#include "keys/circuit_breaker.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"

namespace symbolon::keys {
namespace {

using namespace std::chrono_literals;

TEST(CircuitBreakerTest, Closed_AdmitsAll) {
  ManualClock clock;
  CircuitBreaker breaker(clock, 1s);
  EXPECT_TRUE(breaker.Admit());
  EXPECT_TRUE(breaker.Admit());
}

TEST(CircuitBreakerTest, Failed_AdmitsNobodyAndThenOneAtATime) {
  ManualClock clock;
  CircuitBreaker breaker(clock, 1s);
  breaker.Failed();
  EXPECT_FALSE(breaker.Admit());
  clock.Advance(999ms);
  EXPECT_FALSE(breaker.Admit());
  clock.Advance(1ms);
  EXPECT_TRUE(breaker.Admit());
  EXPECT_FALSE(breaker.Admit());
  clock.Advance(1s);
  EXPECT_TRUE(breaker.Admit()) << "of a probe that never reports nobody is locked out";
}

TEST(CircuitBreakerTest, ProbeAnswered_AdmitsAllAgain) {
  ManualClock clock;
  CircuitBreaker breaker(clock, 1s);
  breaker.Failed();
  clock.Advance(1s);
  EXPECT_TRUE(breaker.Admit());
  breaker.Answered();
  EXPECT_TRUE(breaker.Admit());
  EXPECT_TRUE(breaker.Admit());
}

TEST(CircuitBreakerTest, ProbeFailed_IsOpenForTheWholeTimeAgain) {
  ManualClock clock;
  CircuitBreaker breaker(clock, 1s);
  breaker.Failed();
  clock.Advance(1s);
  EXPECT_TRUE(breaker.Admit());
  clock.Advance(900ms);
  breaker.Failed();
  clock.Advance(900ms);
  EXPECT_FALSE(breaker.Admit());
}

}  // namespace
}  // namespace symbolon::keys
