// A store that comes out of a backup.
#pragma once

#include "base/clock.h"
#include "storage/engine.h"

namespace symbolon::storage {

// Makes the store in this engine, which nobody has open, another one than the store that was backed up: it writes in no
// epoch that the other opened, and numbers its facts anew, so that no position and no number is issued twice
// (replication protocol §1). To be called once after a restore, before the store is opened; calling it again does no
// harm. kUnavailable: there is no store here; errors of the engine.
StoreResult<void> RenewIncarnation(Engine& engine, Random& random);

}  // namespace symbolon::storage
