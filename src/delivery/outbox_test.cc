#include "delivery/outbox.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "delivery/message.h"
#include "directory/transaction.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::delivery {
namespace {

using testing::Test;

// Seals by naming the place.
class NamedPlaceKeys final : public keys::PoolKeys {
 public:
  explicit NamedPlaceKeys(PoolId pool) : pool_(std::move(pool)) {}
  const PoolId& pool() const override { return pool_; }
  BytesView sealing_generation() const override { return {}; }
  bool Holds(BytesView) const override { return true; }
  Bytes Seal(const storage::Key& key, BytesView plaintext, Random&) const override {
    return PlaceOf(key) + Bytes(plaintext);
  }
  keys::OpenResult<Bytes> Open(const storage::Key& key, BytesView sealed) const override {
    if (!sealed.starts_with(PlaceOf(key))) return Err(keys::OpenError{keys::OpenErrorCode::kInvalid, "another place"});
    return Bytes(sealed.substr(PlaceOf(key).size()));
  }
  Bytes SealToken(keys::TokenPurpose, std::string_view, BytesView, Random&) const override { return {}; }
  keys::OpenResult<Bytes> OpenToken(keys::TokenPurpose, std::string_view, BytesView) const override { return Bytes(); }
  Bytes BlindIndex(std::string_view, BytesView) const override { return {}; }
  Bytes Derive(std::string_view, BytesView) const override { return {}; }

 private:
  Bytes PlaceOf(const storage::Key& key) const { return "sealed for " + key.pool.value() + key.id + ":"; }

  PoolId pool_;
};

struct Shown {
  std::vector<std::string> texts;
  std::string last_id;
  std::optional<std::string> next;
};

class Outbox : public Test {
 protected:
  Outbox() {
    region_.region = Region("eu-central-1");
    region_.can_deliver = true;
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(),
                                           {.region = region_.region, .clock = &clock_, .random = &random_});
    EXPECT_TRUE(store);
    store_ = *std::move(store);
    for (const PoolId& pool : {one_, two_}) {
      storage::Commit first;
      first.pool = pool;
      first.start_epoch_counter = 1;
      Commit(std::move(first));
    }
  }

  void Commit(storage::Commit commit) {
    bool committed = false;
    store_->Submit(std::move(commit), [&](auto result) { committed = result.has_value(); });
    while (store_->Step()) {
    }
    ASSERT_TRUE(committed);
  }

  void Write(const PoolId& pool, std::string username, std::string text) {
    clock_.Advance(std::chrono::milliseconds(1));
    directory::Env env(clock_.Now(), random_, region_);
    directory::Transaction tx(store_->MakeSnapshot(), pool, std::make_shared<NamedPlaceKeys>(pool), random_);
    Send(tx, env,
         {.username = username,
          .medium = Medium::kEmail,
          .destination = username + "@example.com",
          .subject = "Code",
          .text = std::move(text),
          .code = "123456",
          .reason = "SignUp"});
    Commit(tx.TakeCommit());
  }

  Result<std::string, OutboxError> Read(const OutboxFilter& filter) {
    return ReadOutbox(
        *store_->MakeSnapshot(),
        [&](const PoolId& pool) { return pool == locked_ ? nullptr : std::make_shared<NamedPlaceKeys>(pool); }, filter);
  }
  Shown Show(const OutboxFilter& filter) {
    const auto text = Read(filter);
    EXPECT_TRUE(text) << text.error().detail;
    const auto answer = boost::json::parse(*text);
    Shown shown;
    for (const auto& message : answer.at("messages").as_array()) {
      shown.texts.push_back(boost::json::value_to<std::string>(message.at("text")));
      shown.last_id = boost::json::value_to<std::string>(message.at("id"));
    }
    if (const auto* next = answer.as_object().if_contains("next"))
      shown.next = boost::json::value_to<std::string>(*next);
    return shown;
  }

  using Texts = std::vector<std::string>;

  const PoolId one_{"eu-central-1_One000000"};
  const PoolId two_{"eu-central-1_Two000000"};
  PoolId locked_;
  ManualClock clock_;
  SeededRandom random_{1};
  directory::RegionSettings region_;
  std::unique_ptr<storage::LocalStore> store_;
};

TEST_F(Outbox, EmptyAtFirst) { EXPECT_EQ(Read({}).value_or("error"), R"({"messages":[]})"); }

TEST_F(Outbox, ShowsWhatWasSent) {
  Write(one_, "alice", "Your code is 123456");
  const auto text = Read({});
  ASSERT_TRUE(text);
  const auto answer = boost::json::parse(*text);
  const auto& message = answer.at("messages").at(0);
  for (const auto& [name, value] : std::map<std::string, std::string>{{"pool", one_.value()},
                                                                      {"username", "alice"},
                                                                      {"medium", "EMAIL"},
                                                                      {"destination", "alice@example.com"},
                                                                      {"subject", "Code"},
                                                                      {"text", "Your code is 123456"},
                                                                      {"code", "123456"},
                                                                      {"reason", "SignUp"}}) {
    EXPECT_EQ(message.at(name), boost::json::value(value)) << name;
  }
  EXPECT_NEAR(message.at("created").as_double(), 1'800'000'000.001, 0.0005);
}

TEST_F(Outbox, NewestLastAcrossPools) {
  Write(one_, "alice", "1");
  Write(two_, "bob", "2");
  Write(one_, "alice", "3");
  EXPECT_EQ(Show({}).texts, (Texts{"1", "2", "3"}));
  EXPECT_EQ(Show({.pool = one_}).texts, (Texts{"1", "3"}));
  EXPECT_EQ(Show({.username = "bob"}).texts, (Texts{"2"}));
  EXPECT_EQ(Show({.username = "bob@example.com"}).texts, (Texts{"2"}));
  EXPECT_EQ(Show({.username = "bo"}).texts, Texts());
}

TEST_F(Outbox, LockedPoolIsLeftOut) {
  Write(one_, "alice", "1");
  Write(two_, "bob", "2");
  locked_ = one_;
  EXPECT_EQ(Show({}).texts, (Texts{"2"}));
}

TEST_F(Outbox, ShowsTheNewestPageAndPagesOnFromACursor) {
  for (std::size_t i = 0; i < kOutboxPageRecords + 5; ++i) Write(i % 2 == 0 ? one_ : two_, "alice", std::to_string(i));
  const Shown newest = Show({});
  ASSERT_EQ(newest.texts.size(), kOutboxPageRecords);
  EXPECT_EQ(newest.texts.front(), "5");
  EXPECT_EQ(newest.next, std::nullopt);
  EXPECT_EQ(Show({.after = newest.last_id}).texts, Texts());

  const Shown first = Show({.after = std::string(32, '0')});
  ASSERT_EQ(first.texts.size(), kOutboxPageRecords);
  EXPECT_EQ(first.texts.front(), "0");
  ASSERT_EQ(first.next, first.last_id);
  const Shown rest = Show({.after = first.next});
  EXPECT_EQ(rest.texts, (Texts{"100", "101", "102", "103", "104"}));
  EXPECT_EQ(rest.next, std::nullopt);
}

TEST_F(Outbox, BadCursorIsRefused) {
  for (const char* cursor : {"", "zz", "00", "0123456789abcdef0123456789abcdef00"}) {
    const auto read = Read({.after = cursor});
    ASSERT_FALSE(read) << cursor;
    EXPECT_EQ(read.error().code, OutboxErrorCode::kBadCursor);
  }
}

TEST_F(Outbox, SweepKeepsTheNewest) {
  for (int i = 0; i < 6; ++i) Write(i % 2 == 0 ? one_ : two_, "alice", std::to_string(i));
  const auto nothing = PlanOutboxSweep(*store_->MakeSnapshot(), 6);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_value());

  auto sweep = PlanOutboxSweep(*store_->MakeSnapshot(), 2);
  ASSERT_TRUE(sweep && sweep->has_value());
  Commit(**std::move(sweep));
  EXPECT_EQ(Show({}).texts, (Texts{"4", "5"}));
}

}  // namespace
}  // namespace symbolon::delivery
