#include "erasure/subject.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/test_store.h"
#include "directory/users.h"

namespace symbolon::erasure {
namespace {

using directory::RecordType;

const PoolId kPool("eu-central-1_TestPool1");
const Bytes kUser(directory::kUserKeyBytes, 'u');
const Bytes kOther(directory::kUserKeyBytes, 'o');
const Bytes kSub(directory::kUserKeyBytes, 's');

class SubjectTest : public testing::Test {
 protected:
  static Bytes Key(RecordType type, const Bytes& id) {
    Bytes key;
    AppendBigEndian16(key, static_cast<std::uint16_t>(type));
    return key + id;
  }
  // An index entry's value.
  Bytes ReferenceTo(const Bytes& user, const Bytes& id) {
    directory::pb::UserReference reference;
    reference.set_user_key(user);
    return keys_->Seal({.pool = kPool, .type = static_cast<std::uint16_t>(RecordType::kUniqueIndex), .id = id},
                       reference.SerializeAsString(), random_);
  }
  static void Add(storage::pb::LogEntry& entry, const Bytes& key, const std::optional<Bytes>& value) {
    storage::pb::LogChange& change = *entry.add_changes();
    change.set_key(key);
    if (value) change.set_value(*value);
    change.set_deleted(!value);
  }

  SeededRandom random_{1};
  std::shared_ptr<const keys::PoolKeys> keys_ = directory::TestKeysOf(Region("eu-central-1"), kPool);
  Subject subject_{kPool, kUser, kSub, keys_};
};

TEST_F(SubjectTest, OwnsWhatIsTheUsersAndNothingElse) {
  const Bytes index = Bytes(16, 'i');
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kUser, kUser), "sealed"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kFindIndex, index + kUser), "sealed"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kMembershipOfUser, kUser + index), "sealed"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kMembershipOfGroup, index + kUser), "sealed"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kDevice, kUser + index), "sealed"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kUniqueIndex, kSub), "does not open"));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kUniqueIndex, index), ReferenceTo(kUser, index)));

  EXPECT_FALSE(subject_.Owns(Key(RecordType::kUser, kOther), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kFindIndex, index + kOther), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kMembershipOfUser, index + kUser), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kMembershipOfGroup, kUser + index), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kUniqueIndex, index), ReferenceTo(kOther, index)));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kUniqueIndex, index), "does not open"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kUniqueIndex, index), ""));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kDevice, kOther + index), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kGroup, kUser), "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kFormerIdentity, kUser), "a count, which makes the next sub another"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kErasure, kUser), "in clear"));
  EXPECT_FALSE(subject_.Owns("", "sealed"));
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kMembershipOfUser, "short"), "sealed"));
}

TEST_F(SubjectTest, WithoutKeysNamesOtherThanTheSubAreNotKnown) {
  const Bytes index = Bytes(16, 'i');
  subject_.SetKeys(nullptr);
  EXPECT_FALSE(subject_.Owns(Key(RecordType::kUniqueIndex, index), ReferenceTo(kUser, index)));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kUniqueIndex, kSub), ""));
  EXPECT_TRUE(subject_.Owns(Key(RecordType::kUser, kUser), "sealed"));
}

TEST_F(SubjectTest, AUserWhoWasDeletedIsFoundByTheSub) {
  // As the user came, with a reference that opens.
  Subject came(kPool, "", kSub, keys_);
  storage::pb::LogEntry signed_up;
  Add(signed_up, Key(RecordType::kUser, kUser), "sealed");
  Add(signed_up, Key(RecordType::kUniqueIndex, kSub), ReferenceTo(kUser, kSub));
  came.Learn(signed_up);
  EXPECT_FALSE(came.user_keys().empty());
  EXPECT_TRUE(came.Owns(Key(RecordType::kUser, kUser), "sealed"));

  // As the user went, in what is left of the log.
  Subject went(kPool, "", kSub, keys_);
  storage::pb::LogEntry deleted;
  Add(deleted, Key(RecordType::kUser, kUser), std::nullopt);
  Add(deleted, Key(RecordType::kUniqueIndex, kSub), std::nullopt);
  went.Learn(deleted);
  EXPECT_TRUE(went.Owns(Key(RecordType::kUser, kUser), "sealed"));

  // Re-encryption takes many users at once: who is whose says the reference only.
  Subject among(kPool, "", kSub, keys_);
  storage::pb::LogEntry batch;
  Add(batch, Key(RecordType::kUser, kOther), "sealed");
  Add(batch, Key(RecordType::kUser, kUser), "sealed");
  Add(batch, Key(RecordType::kUniqueIndex, kSub), "does not open");
  among.Learn(batch);
  EXPECT_TRUE(among.user_keys().empty());
  Subject by_another(kPool, "", kSub, keys_);
  storage::pb::LogEntry other;
  Add(other, Key(RecordType::kUser, kOther), std::nullopt);
  Add(other, Key(RecordType::kUniqueIndex, Bytes(16, 'x')), std::nullopt);
  by_another.Learn(other);
  EXPECT_TRUE(by_another.user_keys().empty());
}

}  // namespace
}  // namespace symbolon::erasure
