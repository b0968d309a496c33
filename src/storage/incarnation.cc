#include "storage/incarnation.h"

#include "storage/keys.h"

namespace symbolon::storage {
namespace {

constexpr std::size_t kIncarnationBytes = 16;

}  // namespace

StoreResult<void> RenewIncarnation(Engine& engine, Random& random) {
  SYMBOLON_TRY(const std::optional<Bytes> former, engine.Get(keys::Meta("incarnation")));
  if (!former) return Err(StoreError{StoreErrorCode::kUnavailable, "there is no store to renew"});
  EngineBatch batch;
  batch.Put(keys::Meta("incarnation"), random.Octets(kIncarnationBytes));
  // Facts of pools that were dropped and came back are numbered under other names: from now on under the new one too.
  batch.DeleteRange(keys::FactIncarnations(), keys::PrefixEnd(keys::FactIncarnations()));
  return engine.Write(batch);
}

}  // namespace symbolon::storage
