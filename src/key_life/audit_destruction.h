// The lines of the audit trail about what is destroyed for good, by the service itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/trail.h"
#include "base/clock.h"
#include "certificate/certificate.h"

namespace symbolon::key_life {

// One line, which names the order and, if there are any, the Regions that did not confirm. Done again after a crash it
// is there twice, as what it is about was done twice. nullptr: there is no trail. Empty: it is recorded; else why the
// work must not go on.
std::string AuditDestruction(audit::Trail* trail, Timestamp now, std::string_view event,
                             const certificate::Order& order,
                             const std::vector<certificate::Unconfirmed>& removed = {});

}  // namespace symbolon::key_life
