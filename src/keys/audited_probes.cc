#include "keys/audited_probes.h"

#include <boost/json.hpp>
#include <utility>
#include <vector>

namespace symbolon::keys {
namespace {

namespace json = boost::json;

}  // namespace

AuditedProbes::~AuditedProbes() {
  for (const auto& [key_arn, series] : series_) {
    if (series.count > 0) static_cast<void>(Write(key_arn, series));  // The trail tells of its own failures.
  }
}

audit::AuditResult<void> AuditedProbes::Write(const std::string& key_arn, const Series& series) {
  audit::Event event = EventOfService(series.last, "Decrypt", key_arn, {});
  json::array contexts;
  for (const auto& [context, count] : series.contexts) {
    json::object pairs;
    for (const auto& [name, value] : context) pairs[name] = value;
    contexts.push_back(json::object{{"count", count}, {"encryptionContext", std::move(pairs)}});
  }
  event.additional_data = json::serialize(json::object{{"count", series.count},
                                                       {"firstEventTime", audit::FormatTime(series.first)},
                                                       {"lastEventTime", audit::FormatTime(series.last)},
                                                       {"encryptionContexts", std::move(contexts)}});
  if (series.failure) SetFailure(event, {*series.failure, series.detail});
  return trail_.Record(event);
}

KeyResult<Secret> AuditedProbes::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                         BytesView ciphertext) {
  if (const auto ready = trail_.Ready(); !ready) return KeyUseRefused(ready.error());
  const Timestamp asked = clock_.Now();
  KeyResult<Secret> result = provider_.Decrypt(key_arn, context, ciphertext);
  std::optional<Series> over;
  bool is_counted = false;
  {
    std::lock_guard guard(mutex_);
    const auto now = clock_.SinceBoot();
    const auto failure = result ? std::nullopt : std::optional(result.error().code);
    const auto found = series_.find(key_arn);
    if (interval_.count() == 0) {
      // Each by itself.
    } else if (found == series_.end()) {
      series_.emplace(key_arn, Series{.since = now, .failure = failure});
    } else if (found->second.failure != failure) {
      over = std::exchange(found->second, Series{.since = now, .failure = failure});
    } else {
      Series& series = found->second;
      if (!result) series.detail = result.error().detail;
      if (series.count++ == 0) series.first = asked;
      series.last = asked;
      ++series.contexts[context];
      is_counted = true;
      if (series.contexts.size() >= kContextsMax) {
        over = std::exchange(series, series.Next(now));
      }
    }
  }
  if (over && over->count > 0) {
    if (const auto recorded = Write(std::string(key_arn), *over); !recorded) return KeyUseRefused(recorded.error());
  }
  if (is_counted) return result;
  audit::Event event = EventOfService(asked, "Decrypt", key_arn, context);
  if (!result) SetFailure(event, result.error());
  if (const auto recorded = trail_.Record(event); !recorded) return KeyUseRefused(recorded.error());
  return result;
}

void AuditedProbes::Tick() {
  std::vector<std::pair<std::string, Series>> due;
  {
    std::lock_guard guard(mutex_);
    const auto now = clock_.SinceBoot();
    for (auto entry = series_.begin(); entry != series_.end();) {
      Series& series = entry->second;
      if (now - series.since < interval_) {
        ++entry;
      } else if (series.count > 0) {
        due.emplace_back(entry->first, std::exchange(series, series.Next(now)));
        ++entry;
      } else {
        entry = series_.erase(entry);  // Nobody asks about it any more.
      }
    }
  }
  for (const auto& [key_arn, series] : due) static_cast<void>(Write(key_arn, series));  // As above.
}

}  // namespace symbolon::keys
