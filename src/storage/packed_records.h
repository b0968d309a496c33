// Records one after the other in one string, as copies travel and wait to be written: an allocation for each key and
// each value costs more than all else that is done with them.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>

#include "base/bytes.h"

namespace symbolon::storage {

struct RecordView {
  // As Record's.
  BytesView id;
  BytesView value;
};

// Each record is: length of its id ‖ id ‖ length of its value ‖ value; lengths in 4 octets, big-endian. Not
// thread-safe.
class PackedRecords {
 public:
  PackedRecords() = default;
  // What another Region packed; nullopt: it is not that.
  static std::optional<PackedRecords> Parse(Bytes octets);

  void Reserve(std::size_t size_bytes) { octets_.reserve(size_bytes); }
  // Neither must have 4 GiB or more.
  void Add(BytesView id, BytesView value);

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  // Of ids and values.
  std::size_t size_bytes() const { return octets_.size() - count_ * kLengthsBytes; }
  // There must be a record.
  BytesView last_id() const { return BytesView(octets_).substr(last_id_at_, last_id_bytes_); }
  const Bytes& octets() const { return octets_; }
  Bytes TakeOctets() &&;

  class Iterator {
   public:
    using value_type = RecordView;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(BytesView rest) : rest_(rest) { Read(); }
    const RecordView& operator*() const { return record_; }
    const RecordView* operator->() const { return &record_; }
    Iterator& operator++() {
      rest_.remove_prefix(kLengthsBytes + record_.id.size() + record_.value.size());
      Read();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    void Read();

    // From the record on; empty at the end.
    BytesView rest_;
    RecordView record_;
  };
  Iterator begin() const { return Iterator(octets_); }
  Iterator end() const { return {}; }

 private:
  static constexpr std::size_t kLengthBytes = 4;
  static constexpr std::size_t kLengthsBytes = 2 * kLengthBytes;

  Bytes octets_;
  std::size_t count_ = 0;
  std::size_t last_id_at_ = 0;
  std::size_t last_id_bytes_ = 0;
};

}  // namespace symbolon::storage
