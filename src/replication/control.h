// What Regions answer when one asks another for something once: to hand a pool over, for keys, to pass a request on.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace symbolon::replication {

enum class ControlErrorCode {
  // The Region asked is not the pool's primary.
  kNotPrimary,
  // The pool or the member is not known there, or the caller is no member.
  kNotMember,
  kWrongState,
  // The handler refused: nothing has changed.
  kRefused,
  // The pool is handed over, which cannot be taken back, and that the next primary has begun is not heard yet; it may
  // have. `detail` is for whoever asked: a whole text.
  kHandedOver,
  // Another Region takes the pool in a higher epoch. `detail`: as above.
  kOvertaken,
  // Not reached, timed out, or failing: it may have happened.
  kUnavailable,
};

// `detail` is for the operator's log.
struct ControlError {
  ControlErrorCode code;
  std::string detail;
};

template <class T>
using ControlResult = Result<T, ControlError>;
template <class T>
using ControlDone = std::move_only_function<void(ControlResult<T>)>;

}  // namespace symbolon::replication
