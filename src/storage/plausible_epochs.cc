#include "storage/plausible_epochs.h"

#include "storage/keys.h"

namespace symbolon::storage {

bool IsPlausible(const pb::Epoch& epoch, std::uint64_t known, std::uint64_t leap_max) {
  return keys::WellFormedName(epoch.region()) && epoch.incarnation().size() <= kNameBytesMax &&
         (epoch.counter() <= known || epoch.counter() - known <= leap_max);
}

}  // namespace symbolon::storage
