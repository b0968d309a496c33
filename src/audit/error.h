// What keeps an audit trail from being written or read, for the operator.
#pragma once

#include <string>

#include "base/result.h"

namespace symbolon::audit {

struct AuditError {
  std::string detail;
};

template <class T>
using AuditResult = Result<T, AuditError>;

}  // namespace symbolon::audit
