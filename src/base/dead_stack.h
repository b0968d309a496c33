// What calls leave on a thread's stack below its present depth: serialisers, parsers and cryptographic code work in
// buffers there, and a thread that has nothing to do keeps what its last request left. When a pool is locked, nothing
// of it is to be left in memory: threads that see records in clear wipe their stacks before they wait, or regularly.
#pragma once

namespace symbolon {

// Wipes what the calling thread has below the caller's frame, and gives whole pages back to the kernel: one system
// call, and a page fault for each page when it is used again.
void WipeDeadStack();

}  // namespace symbolon
