// What symbolond asks of the operating system for itself, and how it is told to end.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace symbolon::node {

// No core dumps and no debugger of the same user, new files for this user alone. Comes before anything that is secret
// is read. The error says in words what the system refuses.
Result<void, std::string> HideProcess();
// For a node that serves: broken pipes as errors instead of a signal, and room for `file_descriptors` open files.
// Errors as above.
Result<void, std::string> PrepareProcess(std::size_t file_descriptors);

// Keeps SIGTERM, SIGINT and SIGHUP from ending the process, for the calling thread and the threads that it starts from
// then on.
void HoldSignals();
// Blocks until one comes (after HoldSignals), and returns its number. After SIGTERM or SIGINT a further one of those
// two ends the process at once.
int AwaitSignal();

}  // namespace symbolon::node
