#include "replication/fact_signatures.h"

#include <gtest/gtest.h>

#include <functional>

namespace symbolon::replication {
namespace {

using storage::pb::FactEntry;

const PoolId kPool("eu-central-1_Pool00001");
const Region kHome("eu-central-1");

// Counts what is dear.
class CountingSigner final : public LogSigner {
 public:
  const Bytes& public_key() const override { return signer_.public_key(); }
  Bytes Sign(BytesView statement) const override {
    ++signed_;
    return signer_.Sign(statement);
  }
  bool Verify(BytesView key, BytesView statement, BytesView signature) const override {
    ++verified_;
    return signer_.Verify(key, statement, signature);
  }
  mutable int signed_ = 0;
  mutable int verified_ = 0;

 private:
  const Ed25519LogSigner signer_{crypto::Ed25519Key::Generate()};
};

std::vector<FactEntry> Entries(int count) {
  std::vector<FactEntry> entries(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    FactEntry& entry = entries[static_cast<std::size_t>(i)];
    entry.set_region(kHome.value());
    entry.set_incarnation("store");
    entry.set_number(static_cast<std::uint64_t>(i) + 1);
    entry.set_key("kksubject");
    entry.mutable_value()->set_maximum(7);
    (*entry.mutable_value()->mutable_region_maximum())["us-east-1"] = 3;
    (*entry.mutable_value()->mutable_region_maximum())["eu-central-1"] = 4;
    entry.mutable_value()->add_elements("element");
    entry.mutable_value()->add_removed_elements("removed");
    entry.mutable_value()->set_expires_at_micros(1'000);
  }
  return entries;
}

class FactSignaturesTest : public testing::Test {
 protected:
  bool IsProven(const FactEntry& entry) { return verifier_.IsProven(kPool, entry, keys_); }

  CountingSigner signer_;
  FactVerifier verifier_{signer_};
  std::vector<Bytes> keys_{Bytes(kLogKeyBytes, 'x'), signer_.public_key()};
};

TEST_F(FactSignaturesTest, GroupsOfAnySizeAreProvedAndEachEntryByItself) {
  for (const int count : {1, 2, 3, 5, 15, 16, 17, 40}) {
    std::vector<FactEntry> entries = Entries(count);
    ProveFacts(signer_, kPool, kHome, entries);
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      FactEntry stored;
      ASSERT_TRUE(stored.ParseFromString(entry->SerializeAsString()));
      stored.set_forgotten_before(3);
      stored.set_kept_until_micros(2'000);
      EXPECT_TRUE(FactVerifier(signer_).IsProven(kPool, stored, keys_)) << entry->number() << " of " << count;
    }
  }
}

TEST_F(FactSignaturesTest, AGroupCostsOneSignatureAndOneCheck) {
  std::vector<FactEntry> entries = Entries(2 * kFactsSignedTogetherMax);
  ProveFacts(signer_, kPool, kHome, entries);
  EXPECT_EQ(signer_.signed_, 2);
  keys_.erase(keys_.begin());
  for (const FactEntry& entry : entries) EXPECT_TRUE(IsProven(entry));
  EXPECT_EQ(signer_.verified_, 2);
}

TEST_F(FactSignaturesTest, WhateverIsChangedIsNotProvenAnyMore) {
  std::vector<FactEntry> entries = Entries(5);
  ProveFacts(signer_, kPool, kHome, entries);
  const FactEntry good = entries[2];
  const std::function<void(FactEntry&)> changes[] = {
      [](FactEntry& entry) { entry.set_region("us-east-1"); },
      [](FactEntry& entry) { entry.set_incarnation("another"); },
      [](FactEntry& entry) { entry.set_number(9); },
      [](FactEntry& entry) { entry.set_key("kkanother"); },
      [](FactEntry& entry) { entry.mutable_value()->set_maximum(8); },
      [](FactEntry& entry) { (*entry.mutable_value()->mutable_region_maximum())["us-east-1"] = 9; },
      [](FactEntry& entry) { entry.mutable_value()->add_elements("more"); },
      [](FactEntry& entry) { entry.mutable_value()->clear_removed_elements(); },
      [](FactEntry& entry) {
        entry.mutable_value()->mutable_elements()->Swap(entry.mutable_value()->mutable_removed_elements());
      },
      [](FactEntry& entry) { entry.mutable_value()->set_expires_at_micros(0); },
      [](FactEntry& entry) { entry.mutable_proof()->set_index(1); },
      [](FactEntry& entry) { entry.mutable_proof()->set_index(1U << 31); },
      [](FactEntry& entry) { entry.mutable_proof()->mutable_path(1)->front() ^= 1; },
      [](FactEntry& entry) { entry.mutable_proof()->mutable_path()->RemoveLast(); },
      [](FactEntry& entry) { entry.mutable_proof()->add_path(Bytes(32, '\0')); },
      [](FactEntry& entry) { entry.mutable_proof()->clear_signature(); },
      [](FactEntry& entry) { entry.clear_proof(); },
  };
  for (const auto& change : changes) {
    ASSERT_TRUE(IsProven(good));
    FactEntry changed = good;
    change(changed);
    EXPECT_FALSE(IsProven(changed)) << changed.ShortDebugString();
  }
  EXPECT_FALSE(verifier_.IsProven(PoolId("eu-central-1_Other"), good, keys_));
  keys_.pop_back();
  EXPECT_FALSE(IsProven(good)) << "the key is not the Region's any more, though it was a moment ago";
}

TEST_F(FactSignaturesTest, OnlyTheRegionsOwnAreProvedAndWhatHasAProofKeepsIt) {
  std::vector<FactEntry> entries = Entries(3);
  entries[0].set_region("us-east-1");
  entries[1].mutable_proof()->set_signature("as it came");
  entries[2].clear_key();
  ProveFacts(signer_, kPool, kHome, entries);
  EXPECT_EQ(signer_.signed_, 0);
  EXPECT_FALSE(entries[0].has_proof());
  EXPECT_EQ(entries[1].proof().signature(), "as it came");
  EXPECT_FALSE(entries[2].has_proof());
}

}  // namespace
}  // namespace symbolon::replication
