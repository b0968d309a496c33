#include "audit/trail.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "audit/reader.h"
#include "audit/recovery.h"
#include "audit/trail_file.h"
#include "base/durable_file.h"
#include "base/log.h"

namespace symbolon::audit {
namespace {

namespace json = boost::json;

// Events that took place and could not be written. New ones are refused before they begin, so these were under way.
constexpr std::size_t kKeptEventsMax = 10'000;

struct Item {
  LineKind kind;
  std::string body;
};

// Somebody who waits until a line is durable.
struct Waiting {
  const Item& item;
  bool done = false;
  AuditResult<void> result = {};
};

std::string DayOf(std::string_view time) { return std::string(time.substr(0, std::string_view("2026-01-01").size())); }

tl::unexpected<AuditError> FromFile(const FileError& error) { return Err(AuditError{error.detail}); }

}  // namespace

struct Trail::State {
  State(Options the_options, crypto::Ed25519Key the_key, Clock& the_clock, Random& random, DirectoryLock the_lock)
      : options(std::move(the_options)),
        key(std::move(the_key)),
        public_key(key.PublicKey()),
        clock(the_clock),
        ids(random),
        lock(std::move(the_lock)) {}

  // ---- constant, or thread-safe by itself ----
  const Options options;
  const crypto::Ed25519Key key;
  const Bytes public_key;
  Clock& clock;
  SerialUuids ids;
  const DirectoryLock lock;
  std::string chain;

  // ---- guarded by mutex ----
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<Waiting*> queue;
  // One thread at a time writes, for all who wait.
  bool leading = false;
  std::optional<std::string> failure;
  ChainEnd durable;
  std::map<Region, ChainEnd> witnessed;
  mutable Counters counters;

  // ---- the leading thread's ----
  std::optional<internal::TrailFile> file;
  std::string file_day;
  ChainEnd end;
  std::uint64_t unsigned_lines = 0;
  std::chrono::nanoseconds signed_at{};
  std::vector<Item> kept;
  std::uint64_t lost = 0;
  // The last write is durable, and what has to follow it failed.
  std::optional<AuditError> trouble;

  std::string Now() const { return FormatTime(clock.Now()); }

  std::string CheckpointBody(std::string_view reason) const {
    json::object body{{"reason", reason}, {"time", Now()}};
    if (lost > 0) body["lost"] = lost;
    return json::serialize(body);
  }

  AuditResult<void> WriteHead(const std::string& line) {
    const auto written = WriteFileDurably(options.directory / kHeadFile, line + "\n");
    if (!written) return FromFile(written.error());
    if (options.outside_file.empty()) return {};
    const auto outside = WriteFileDurably(options.outside_file, line + "\n");
    if (!outside) return FromFile(outside.error());
    return {};
  }

  // The next file of the chain, with its first line.
  AuditResult<void> BeginFile() {
    ChainEnd next = end;
    const std::string name = FileName(end.sequence + 1);
    const FileHeader header{.chain = chain,
                            .region = options.region.value(),
                            .account = options.account,
                            .name = name,
                            .previous_file = file ? file->path().filename().string() : std::string(),
                            .public_key = public_key,
                            .time = Now()};
    const std::string line = FormatLine(next, LineKind::kFile, header.Body());
    SYMBOLON_TRY(auto created, internal::TrailFile::Create(options.directory / name));
    if (const auto written = created.Append(line + "\n"); !written) {
      // Or it would be taken for a part of the chain.
      std::error_code ignored;
      std::filesystem::remove(created.path(), ignored);
      return written;
    }
    file = std::move(created);
    file_day = DayOf(header.time);
    Advance(next, 1);
    return {};
  }

  void Advance(const ChainEnd& to, std::uint64_t lines) {
    unsigned_lines += lines;
    end = to;
    std::lock_guard guard(mutex);
    durable = to;
    counters.lines += lines;
  }

  AuditResult<void> RotateIfDue() {
    if (!file->IsInPlace()) {
      log::Error("audit: {} was removed or replaced; the trail goes on in a new file", file->path().string());
      return BeginFile();
    }
    if (file->size_bytes() < options.file_bytes_max && DayOf(Now()) <= file_day) return {};
    SYMBOLON_TRY_VOID(Append({}, "rotation"));
    return BeginFile();
  }

  // The items, and a checkpoint if there is a reason for one; all or nothing.
  AuditResult<void> Append(std::span<const Item* const> items, std::string_view reason) {
    ChainEnd next = end;
    std::string text;
    for (const Item* item : items) {
      text += FormatLine(next, item->kind, item->body);
      text += '\n';
    }
    if (reason.empty() && unsigned_lines + items.size() >= options.checkpoint_lines) reason = "lines";
    std::string checkpoint;
    if (!reason.empty()) {
      checkpoint = FormatCheckpoint(next, CheckpointBody(reason), key);
      text += checkpoint;
      text += '\n';
    }
    SYMBOLON_TRY_VOID(file->Append(text));
    Advance(next, next.sequence - end.sequence);
    if (checkpoint.empty()) return {};
    unsigned_lines = 0;
    signed_at = clock.SinceBoot();
    lost = 0;
    if (auto head = WriteHead(checkpoint); !head) trouble = head.error();
    return {};
  }

  AuditResult<void> Write(std::span<const Item* const> items, std::string_view reason) {
    SYMBOLON_TRY_VOID(RotateIfDue());
    return Append(items, reason);
  }

  // After a failure: what is durable is there still, and the disk takes what was kept.
  AuditResult<void> TryAgain() {
    std::error_code error;
    if (std::filesystem::exists(file->path(), error) || error) {
      SYMBOLON_TRY(file, internal::TrailFile::Continue(file->path(), file->size_bytes()));
    } else {
      log::Error("audit: {} was removed; the trail goes on in a new file", file->path().string());
      SYMBOLON_TRY_VOID(BeginFile());
    }
    std::vector<const Item*> items;
    for (const Item& item : kept) items.push_back(&item);
    SYMBOLON_TRY_VOID(Write(items, "recovery"));
    kept.clear();
    return {};
  }

  void Keep(std::span<const Item* const> items) {
    for (const Item* item : items) {
      if (item->kind != LineKind::kEvent) continue;
      if (kept.size() < kKeptEventsMax) {
        kept.push_back(*item);
      } else {
        ++lost;
      }
    }
  }

  // ---- with mutex held by `guard` ----

  // Until this thread leads.
  void Lead(std::unique_lock<std::mutex>& guard) {
    changed.wait(guard, [&] { return !leading; });
    leading = true;
  }
  void LeadNoMore() {
    leading = false;
    changed.notify_all();
  }

  void SetFailure(std::string detail) {
    ++counters.write_failures;
    if (!failure) log::Error("audit: keys are not used until lines can be written again: {}", detail);
    failure = std::move(detail);
  }

  // Writes for all who wait. This thread leads meanwhile.
  void Serve(std::unique_lock<std::mutex>& guard) {
    const std::vector<Waiting*> batch = std::exchange(queue, {});
    std::vector<const Item*> items;
    for (const Waiting* waiting : batch) items.push_back(&waiting->item);
    AuditResult<void> written;
    if (failure) {
      written = Err(AuditError{*failure});
      Keep(items);
    } else {
      guard.unlock();
      written = Write(items, {});
      if (!written) Keep(items);
      guard.lock();
      if (!written) SetFailure(written.error().detail);
      if (trouble) SetFailure(std::exchange(trouble, std::nullopt)->detail);
    }
    for (Waiting* waiting : batch) {
      waiting->result = written;
      waiting->done = true;
    }
  }

  AuditResult<void> Record(const Item& item) {
    Waiting waiting{.item = item};
    std::unique_lock guard(mutex);
    queue.push_back(&waiting);
    while (true) {
      changed.wait(guard, [&] { return waiting.done || !leading; });
      if (waiting.done) return waiting.result;
      leading = true;
      Serve(guard);
      LeadNoMore();
    }
  }

  // Nobody waits for a line to notice a disk that would take none.
  void LookForRoom(std::unique_lock<std::mutex>& guard) {
    guard.unlock();
    const auto room = internal::CheckRoom(options.directory);
    guard.lock();
    if (!room) SetFailure(room.error().detail);
  }

  // A checkpoint, and whatever has to be done before one can be made.
  void Sign(std::unique_lock<std::mutex>& guard, std::string_view reason) {
    const bool again = failure.has_value();
    guard.unlock();
    AuditResult<void> written;
    if (again && reason != "stop") written = internal::CheckRoom(options.directory);
    if (again && written) written = TryAgain();
    if (written && (!again || reason == "stop")) written = Write({}, reason);
    guard.lock();
    if (!written) return SetFailure(written.error().detail);
    if (trouble) return SetFailure(std::exchange(trouble, std::nullopt)->detail);
    if (again) log::Info("audit: lines can be written again");
    failure.reset();
  }

  AuditResult<void> Begin(std::optional<internal::TrailEnd> found, Random& random) {
    std::vector<Item> notes;
    if (!found) {
      chain = NewUuid(random);
      SYMBOLON_TRY_VOID(BeginFile());
    } else {
      chain = found->header.chain;
      end = found->end;
      unsigned_lines = found->unsigned_lines;
      file_day = DayOf(found->header.time);
      if (found->header.region != options.region.value() || found->header.account != options.account) {
        return Err(AuditError{fmt::format("the trail in {} is that of Region {}, account {}",
                                          options.directory.string(), found->header.region, found->header.account)});
      }
      const std::filesystem::path path = options.directory / found->header.name;
      if (!found->torn.empty()) {
        SYMBOLON_TRY(auto note, SetAside(path, *found));
        notes.push_back(std::move(note));
      }
      SYMBOLON_TRY(file, internal::TrailFile::Continue(path, found->size_bytes));
      const std::lock_guard guard(mutex);
      durable = end;
    }
    std::vector<const Item*> items;
    for (const Item& note : notes) items.push_back(&note);
    SYMBOLON_TRY_VOID(Write(items, "start"));
    if (trouble) return Err(*std::exchange(trouble, std::nullopt));
    const auto published = WriteFileDurably(options.directory / kPublicKeyFile, Base64Encode(public_key) + "\n");
    if (!published) return FromFile(published.error());
    return {};
  }

  // Keeps what is behind the last good line; the trail's note of it.
  AuditResult<Item> SetAside(const std::filesystem::path& path, const internal::TrailEnd& found) const {
    const std::string name = fmt::format("{}.torn-{}", path.filename().string(), found.end.sequence);
    log::Warning("audit: {} octets behind line {} of {} are no whole lines; they are kept in {}", found.torn.size(),
                 found.end.sequence, path.string(), name);
    const auto kept_aside = WriteFileDurably(options.directory / name, found.torn);
    if (!kept_aside) return FromFile(kept_aside.error());
    return Item{LineKind::kRecovery,
                json::serialize(json::object{{"keptIn", name}, {"octets", found.torn.size()}, {"time", Now()}})};
  }
};

Trail::Trail(std::unique_ptr<State> state) : state_(std::move(state)) {}

AuditResult<std::unique_ptr<Trail>> Trail::Open(Options options, crypto::Ed25519Key key, Clock& clock, Random& random) {
  std::error_code error;
  if (std::filesystem::create_directories(options.directory, error)) {
    std::filesystem::permissions(options.directory, std::filesystem::perms::owner_all, error);
  }
  if (error) return Err(AuditError{fmt::format("cannot make {}: {}", options.directory.string(), error.message())});
  auto lock = DirectoryLock::Take(options.directory / "lock");
  if (!lock) return FromFile(lock.error());
  auto state = std::make_unique<State>(std::move(options), std::move(key), clock, random, *std::move(lock));
  const std::filesystem::path outside =
      state->options.may_be_earlier ? std::filesystem::path() : state->options.outside_file;
  SYMBOLON_TRY(auto found, internal::FindTrailEnd(state->options.directory, state->public_key, outside));
  SYMBOLON_TRY_VOID(state->Begin(std::move(found), random));
  return std::unique_ptr<Trail>(new Trail(std::move(state)));
}

Trail::~Trail() {
  std::unique_lock guard(state_->mutex);
  state_->Lead(guard);
  state_->Sign(guard, "stop");
  state_->LeadNoMore();
}

AuditResult<void> Trail::Ready() const {
  const std::lock_guard guard(state_->mutex);
  if (!state_->failure) return {};
  ++state_->counters.refusals;
  return Err(AuditError{*state_->failure});
}

AuditResult<void> Trail::Record(const Event& event) {
  const std::string event_id = state_->ids.Next();
  return state_->Record(
      {LineKind::kEvent, ToJson(event, state_->options.region, state_->options.account,
                                event.request_id.empty() ? state_->ids.Next() : event.request_id, event_id)});
}

AuditResult<void> Trail::RecordWitness(const Region& region, const Head& head) {
  {
    const std::lock_guard guard(state_->mutex);
    if (state_->witnessed[region] == head.end) return {};
  }
  SYMBOLON_TRY_VOID(
      state_->Record({LineKind::kWitness, json::serialize(json::object{{"region", region.value()},
                                                                       {"chain", head.chain},
                                                                       {"sequence", head.end.sequence},
                                                                       {"hash", HexEncode(head.end.hash)},
                                                                       {"publicKey", Base64Encode(head.public_key)},
                                                                       {"time", state_->Now()}})}));
  const std::lock_guard guard(state_->mutex);
  state_->witnessed[region] = head.end;
  return {};
}

Head Trail::head() const {
  const std::lock_guard guard(state_->mutex);
  return {state_->chain, state_->durable, state_->public_key};
}

void Trail::Tick() {
  std::unique_lock guard(state_->mutex);
  state_->Lead(guard);
  const bool due = state_->unsigned_lines > 0 &&
                   state_->clock.SinceBoot() - state_->signed_at >= state_->options.checkpoint_interval;
  if (state_->failure || due) {
    state_->Sign(guard, "time");
  } else {
    state_->LookForRoom(guard);
  }
  state_->LeadNoMore();
}

Trail::Counters Trail::counters() const {
  const std::lock_guard guard(state_->mutex);
  Counters counters = state_->counters;
  counters.failing = state_->failure.has_value();
  return counters;
}

}  // namespace symbolon::audit
