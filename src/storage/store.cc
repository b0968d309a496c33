#include "storage/store.h"

namespace symbolon::storage {

StoreResult<std::vector<Record>> CopySource::Next(BytesView cursor, std::size_t limit_bytes) {
  SYMBOLON_TRY(const PackedRecords packed, NextPacked(cursor, limit_bytes));
  std::vector<Record> records;
  records.reserve(packed.count());
  for (const RecordView& record : packed) records.push_back({Bytes(record.id), Bytes(record.value)});
  return records;
}

StoreResult<void> Store::WriteStaging(const PoolId& pool, const std::vector<Record>& records) {
  PackedRecords packed;
  for (const Record& record : records) packed.Add(record.id, record.value);
  return WritePackedStaging(pool, {std::move(packed)});
}

}  // namespace symbolon::storage
