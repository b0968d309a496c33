// Random transactions, and the check that what they saw is serialisable.
#pragma once

#include <algorithm>
#include <map>
#include <random>

#include "storage/store_test_support.h"

namespace symbolon::storage {

// Transactions that read and write few keys, so that they meet often. Each is remembered as its client saw it.
class RandomTransactions {
 public:
  using Records = std::map<Bytes, Bytes>;
  struct Transaction {
    std::uint64_t version = 0;
    std::map<Bytes, std::optional<Bytes>> reads;
    std::optional<std::pair<Bytes, Records>> range_read;
    std::map<Bytes, std::optional<Bytes>> writes;
  };

  explicit RandomTransactions(unsigned seed) : random_(seed), name_(std::to_string(seed)) {}

  // Reads from `snapshot`, and plans writes that depend on nothing but what was read and a counter.
  std::pair<Commit, Transaction> Plan(const Snapshot& snapshot) {
    Transaction transaction;
    Commit commit;
    commit.pool = kTestPool;
    commit.snapshot_version = snapshot.version();
    for (unsigned count = random_() % 3; count > 0; --count) {
      const Bytes id = SomeId();
      transaction.reads[id] = *snapshot.Get(DirectoryKey(id));
      commit.reads.push_back(DirectoryKey(id));
    }
    if (random_() % 3 == 0) {
      const Bytes prefix = SomeId().substr(0, 1);
      const KeyRange range{Space::kDirectory, kTestPool, 1, prefix};
      Records found;
      for (auto& [id, value] : ReadAll(snapshot, range)) found[id] = value;
      transaction.range_read = {prefix, found};
      commit.range_reads.push_back(range);
    }
    for (unsigned count = 1 + random_() % 2; count > 0; --count) {
      std::optional<Bytes>& written = transaction.writes[SomeId()];
      if (random_() % 4 != 0) written = name_ + "/" + std::to_string(++counter_);
    }
    for (const auto& [id, value] : transaction.writes) commit.directory.push_back({DirectoryKey(id), value});
    return {std::move(commit), std::move(transaction)};
  }

  // In the order of their versions every transaction must have seen what those before it left.
  static Records Replay(std::vector<Transaction> transactions) {
    std::sort(transactions.begin(), transactions.end(),
              [](const Transaction& a, const Transaction& b) { return a.version < b.version; });
    Records model;
    std::uint64_t last_version = 0;
    for (const Transaction& transaction : transactions) {
      EXPECT_GT(transaction.version, last_version);
      last_version = transaction.version;
      for (const auto& [id, value] : transaction.reads) {
        const auto found = model.find(id);
        EXPECT_EQ(found == model.end() ? std::nullopt : std::optional<Bytes>(found->second), value);
      }
      if (transaction.range_read) {
        Records in_range;
        for (const auto& record : model) {
          if (record.first.starts_with(transaction.range_read->first)) in_range.insert(record);
        }
        EXPECT_EQ(in_range, transaction.range_read->second);
      }
      for (const auto& [id, value] : transaction.writes) {
        if (value) {
          model[id] = *value;
        } else {
          model.erase(id);
        }
      }
    }
    return model;
  }

 private:
  Bytes SomeId() { return Bytes{static_cast<char>('a' + random_() % 3), static_cast<char>('0' + random_() % 3)}; }

  std::mt19937 random_;
  const std::string name_;
  int counter_ = 0;
};

inline RandomTransactions::Records DirectoryNow(Store& store) {
  RandomTransactions::Records records;
  for (auto& [id, value] : ReadAll(*store.MakeSnapshot(), {Space::kDirectory, kTestPool, 1, ""})) records[id] = value;
  return records;
}

}  // namespace symbolon::storage
