// An engine in memory, for simulation and tests: a disk that survives its engines, and faults on request.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/engine.h"

namespace symbolon::storage {

// What happens to a write.
enum class WriteFault : std::uint8_t {
  kNone,
  // No room: nothing is done, later writes may succeed.
  kFull,
  // The process dies before the write is durable (a torn write counts as none): nothing of it is there at the next
  // start. The engine answers nothing but errors from then on.
  kCrashBeforeDurable,
  // The process dies after the write became durable and before anybody is told.
  kCrashAfterDurable,
  // The sync fails: the write is not shown, and it turns out lost, or kept, when the disk is opened again.
  kSyncFailsLost,
  kSyncFailsKept,
};

// Thread-safe. Shared by the engines that are opened on it one after the other.
class MemoryDisk {
 public:
  MemoryDisk();
  ~MemoryDisk();

  // Write number `writes_from_now` (0: the next one) meets `fault`, once. Replaces what was planned before.
  void PlanFault(WriteFault fault, std::uint64_t writes_from_now = 0);
  // As kFull, for every write until it is called with false.
  void SetFull(bool full);
  // Writes that reached the disk's engines so far, those with faults included.
  std::uint64_t write_count() const;

  // What a backup taken now restores: a disk of its own, without faults.
  std::shared_ptr<MemoryDisk> Copy() const;

  // A disk that lies: from now on the last `writes` writes can be taken back although they were answered as durable.
  void SetUnsynced(std::size_t writes);
  // The power fails. Takes back what was not synced; without SetUnsynced nothing is.
  void LoseUnsynced();

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Opens the disk. An older engine of it that still lives is dead from then on, as its process would be.
std::unique_ptr<Engine> MakeMemoryEngine(std::shared_ptr<MemoryDisk> disk);
std::unique_ptr<Engine> MakeMemoryEngine();

}  // namespace symbolon::storage
