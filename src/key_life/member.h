// What a Region answers when another asks about a pool's keys (link.proto).
#pragma once

#include "key_life/services.h"

namespace symbolon::key_life {

// Thread-safe. Blocks: the key provider and the disk are asked. kNotMember: the pool is not known here, or the asking
// Region is none of it.
replication::ControlResult<Bytes> AnswerKeyRequest(const Services& services, const Region& from, const Bytes& request);

}  // namespace symbolon::key_life
