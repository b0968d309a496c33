#include "node/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/result.h"
#include "node/key_metrics.h"
#include "node/metric_family.h"
#include "node/process_readings.h"

namespace symbolon::node {
namespace {

using prometheus::MetricFamily;

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                          0.1,    0.25,  0.5,    1,     2.5,  5};

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(const Region& region)
      : region_(region.value()),
        requests_(prometheus::BuildCounter()
                      .Name("symbolon_requests_total")
                      .Help("Requests that reached an operation, by its outcome")
                      .Register(registry_)),
        durations_(prometheus::BuildHistogram()
                       .Name("symbolon_request_duration_seconds")
                       .Help("From the request's last octet to its answer")
                       .Register(registry_)),
        unknown_members_(prometheus::BuildCounter()
                             .Name("symbolon_unknown_members_total")
                             .Help("Members of requests that the model does not know; they are ignored")
                             .Register(registry_)),
        key_calls_(prometheus::BuildCounter()
                       .Name("symbolon_key_calls_total")
                       .Help("Calls that this node made of key services for its pools, by outcome")
                       .Register(registry_)),
        key_call_durations_(prometheus::BuildHistogram()
                                .Name("symbolon_key_call_duration_seconds")
                                .Help("How long those calls took")
                                .Register(registry_)),
        commits_(prometheus::BuildCounter()
                     .Name("symbolon_commits_total")
                     .Help("Durable commits of the store")
                     .Register(registry_)
                     .Add({})) {
    auto& forwarded = prometheus::BuildCounter()
                          .Name("symbolon_forwarded_requests_total")
                          .Help("Requests that were passed on to their pool's primary, by what came of it")
                          .Register(registry_);
    for (const replication::ForwardOutcome outcome : replication::kForwardOutcomes) {
      const std::string name(replication::ForwardOutcomeName(outcome));
      forwarded_.emplace(outcome, &forwarded.Add({{"outcome", name}}));
    }
  }

  void CountRequest(std::string_view operation, std::string_view outcome, std::chrono::nanoseconds duration,
                    std::size_t unknown_members) {
    const OperationMetrics& metrics = Operation(operation, outcome);
    metrics.requests.Increment();
    metrics.duration.Observe(Seconds(duration));
    if (unknown_members > 0) metrics.unknown_members.Increment(static_cast<double>(unknown_members));
  }

  void CountCommit() { commits_.Increment(); }
  void CountForwarded(replication::ForwardOutcome outcome) { forwarded_.at(outcome)->Increment(); }

  void CountKeyCall(std::string_view provider, std::string_view operation, std::string_view outcome,
                    std::chrono::nanoseconds duration) {
    const std::string provider_name(provider);
    const std::string operation_name(operation);
    key_calls_.Add({{"provider", provider_name}, {"operation", operation_name}, {"outcome", std::string(outcome)}})
        .Increment();
    key_call_durations_.Add({{"provider", provider_name}, {"operation", operation_name}}, kSeconds)
        .Observe(Seconds(duration));
  }

  void AddSource(Source source) { sources_.push_back(std::move(source)); }
  void SetHttpCounters(const http::ServerCounters& counters) { http_ = &counters; }

  std::string Text() const {
    std::vector<MetricFamily> families = registry_.Collect();
    Readings readings;
    for (const Source& source : sources_) source(readings);
    AddReadings(readings, families);
    if (http_) AddHttp(*http_, families);
    AddProcess(families);
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  // Compares names without making strings of them.
  struct ByNames {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::pair<std::string_view, std::string_view>(a) < std::pair<std::string_view, std::string_view>(b);
    }
  };
  struct OperationMetrics {
    prometheus::Counter& requests;
    prometheus::Histogram& duration;
    prometheus::Counter& unknown_members;
  };

  const OperationMetrics& Operation(std::string_view operation, std::string_view outcome) {
    const std::pair<std::string_view, std::string_view> key(operation, outcome);
    {
      std::shared_lock lock(mutex_);
      if (const auto found = operations_.find(key); found != operations_.end()) return found->second;
    }
    const std::string name(operation);
    std::unique_lock lock(mutex_);
    return operations_
        .try_emplace({name, std::string(outcome)},
                     OperationMetrics{requests_.Add({{"operation", name}, {"outcome", std::string(outcome)}}),
                                      durations_.Add({{"operation", name}}, kSeconds),
                                      unknown_members_.Add({{"operation", name}})})
        .first->second;
  }

  void AddReadings(const Readings& readings, std::vector<MetricFamily>& families) const {
    families.push_back(Gauge("symbolon_build_info", "1; the version and the Region are its labels")
                           .Add(1, {{"region", region_}, {"version", SYMBOLON_VERSION}})
                           .Take());
    families.push_back(Gauge("symbolon_ready", "1 when /health/ready answers 200").Add(readings.ready ? 1 : 0).Take());
    families.push_back(Counter("symbolon_iam_reloads_total", "How often users and policies were read again, by outcome")
                           .Add(static_cast<double>(readings.users.reloads), {{"outcome", "ok"}})
                           .Add(static_cast<double>(readings.users.failures), {{"outcome", "failed"}})
                           .Take());
    families.push_back(
        Gauge("symbolon_iam_stale", "1 while the users and policies on the disk are wrong and older ones in force")
            .Add(readings.users.stale ? 1 : 0)
            .Take());
    families.push_back(Counter("symbolon_signatures_total", "Token signatures made")
                           .Add(static_cast<double>(readings.signatures))
                           .Take());
    ReadFamily epoch = Gauge("symbolon_log_epoch", "Epoch of the newest entry of the pool's directory log here");
    ReadFamily sequence =
        Gauge("symbolon_log_sequence", "Sequence of the newest entry of the pool's directory log here");
    ReadFamily kept_entries =
        Gauge("symbolon_log_kept_entries", "Entries of the pool's directory log that are kept here for replicas");
    ReadFamily kept_bytes = Gauge("symbolon_log_kept_bytes", "Their size on disk, about");
    for (const auto& position : readings.log_positions) {
      const Labels labels = {{"pool", position.pool.value()}};
      epoch.Add(static_cast<double>(position.epoch), labels);
      sequence.Add(static_cast<double>(position.sequence), labels);
      kept_entries.Add(static_cast<double>(position.kept_entries), labels);
      kept_bytes.Add(static_cast<double>(position.kept_bytes), labels);
    }
    families.push_back(epoch.Take());
    families.push_back(sequence.Take());
    families.push_back(kept_entries.Take());
    families.push_back(kept_bytes.Take());
    AddReplicas(readings, families);
    AddFacts(readings, families);
    AddRoles(readings, families);
    AddSignatures(readings, families);
    AddVerifications(readings, families);
    AddAuthority(readings, families);
    AddCopies(readings, families);
    AddDurability(readings, families);
    AddPeers(readings, families);
    AddAudit(readings.audit, families);
    AddKeys(readings.keys, families);
  }

  static void AddAudit(const Readings::Audit& audit, std::vector<MetricFamily>& families) {
    families.push_back(Counter("symbolon_audit_lines_total", "Lines of the audit trail written and durable")
                           .Add(static_cast<double>(audit.lines))
                           .Take());
    families.push_back(Counter("symbolon_audit_write_failures_total", "Writes of the audit trail that failed")
                           .Add(static_cast<double>(audit.write_failures))
                           .Take());
    families.push_back(
        Counter("symbolon_audit_refused_total", "Uses of keys refused because the audit trail takes no lines")
            .Add(static_cast<double>(audit.refusals))
            .Take());
    families.push_back(Gauge("symbolon_audit_failing", "1 while the audit trail takes no lines, so that no key is used")
                           .Add(audit.failing ? 1 : 0)
                           .Take());
  }

  static void AddReplicas(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily entries =
        Gauge("symbolon_replication_lag_entries", "Entries of the pool's directory log that the Region still lacks");
    ReadFamily seconds =
        Gauge("symbolon_replication_lag_seconds",
              "Age of the oldest entry that the Region still lacks; 0 if none, absent during its first copy");
    ReadFamily sequence = Gauge("symbolon_replication_acknowledged_sequence",
                                "Sequence of the newest entry that the Region holds durably, as it told");
    for (const auto& replica : readings.replicas) {
      const Labels labels = {{"pool", replica.pool.value()}, {"region", replica.region.value()}};
      entries.Add(static_cast<double>(replica.lag_entries), labels);
      if (replica.lag_time) seconds.Add(Seconds(*replica.lag_time), labels);
      if (replica.acknowledged_sequence) sequence.Add(static_cast<double>(*replica.acknowledged_sequence), labels);
    }
    families.push_back(entries.Take());
    families.push_back(seconds.Take());
    families.push_back(sequence.Take());
  }

  static void AddFacts(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily entries = Gauge("symbolon_replication_facts_unacknowledged",
                               "Entries of the pool's fact logs here that the Region has not acknowledged");
    for (const auto& lag : readings.fact_lags) {
      entries.Add(static_cast<double>(lag.entries), {{"pool", lag.pool.value()}, {"region", lag.region.value()}});
    }
    families.push_back(entries.Take());
    families.push_back(Counter("symbolon_replication_facts_total",
                               "Entries of fact logs that went to other Regions and came from them")
                           .Add(static_cast<double>(readings.replication.facts_sent), {{"event", "sent"}})
                           .Add(static_cast<double>(readings.replication.facts_merged), {{"event", "merged"}})
                           .Take());
    families.push_back(Counter("symbolon_first_sign_ins_total",
                               "First sign-ins that other Regions saw, by what this one, as primary, made of them")
                           .Add(static_cast<double>(readings.first_sign_ins.absorbed), {{"outcome", "absorbed"}})
                           .Add(static_cast<double>(readings.first_sign_ins.refused), {{"outcome", "refused"}})
                           .Take());
    families.push_back(
        Gauge("symbolon_first_sign_ins", "Facts of first sign-ins at the primary, by what they are kept for")
            .Add(static_cast<double>(readings.first_sign_ins.waiting), {{"kept_for", "verification"}})
            .Add(static_cast<double>(readings.first_sign_ins.kept), {{"kept_for", "members"}})
            .Take());
  }

  static void AddRoles(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily admits = Gauge("symbolon_replication_admits_writes",
                              "1 when this Region, as the pool's primary, admits changes of its directory");
    ReadFamily handed_over = Gauge("symbolon_replication_handed_over",
                                   "1 while the pool is handed over, and this Region does not know that the next "
                                   "primary has begun");
    ReadFamily wait = Gauge("symbolon_authority_automatic_promotion_wait_seconds",
                            "How long no Region takes the pool over by itself, because one did; 0: one may");
    for (const auto& admission : readings.admissions) {
      const Labels labels = {{"pool", admission.pool.value()}};
      admits.Add(admission.admits_writes ? 1 : 0, labels);
      handed_over.Add(admission.handed_over ? 1 : 0, labels);
      if (admission.automatic_promotion_wait) wait.Add(Seconds(*admission.automatic_promotion_wait), labels);
    }
    families.push_back(admits.Take());
    families.push_back(handed_over.Take());
    families.push_back(wait.Take());
    families.push_back(
        Counter("symbolon_replication_role_changes_total", "Changes of pools' primaries, by what was done here")
            .Add(static_cast<double>(readings.replication.hand_overs), {{"kind", "handed_over"}})
            .Add(static_cast<double>(readings.replication.take_overs), {{"kind", "took_over"}})
            .Add(static_cast<double>(readings.replication.step_downs), {{"kind", "stepped_down"}})
            .Take());
    families.push_back(Counter("symbolon_replication_suffixes_set_aside_total",
                               "How often this Region kept in a file what the surviving history does not have")
                           .Add(static_cast<double>(readings.replication.suffixes_set_aside))
                           .Take());
    families.push_back(
        Counter("symbolon_replication_copies_total", "Copies of pools' directories, by what became of them here")
            .Add(static_cast<double>(readings.replication.copies_begun), {{"event", "begun"}})
            .Add(static_cast<double>(readings.replication.copies_resumed), {{"event", "resumed"}})
            .Add(static_cast<double>(readings.replication.copies_served), {{"event", "served"}})
            .Add(static_cast<double>(readings.replication.copies_taken), {{"event", "taken"}})
            .Add(static_cast<double>(readings.replication.copies_failed), {{"event", "failed"}})
            .Take());
    families.push_back(
        Counter("symbolon_replication_errors_total", "What came from other Regions and could not be what it had to be")
            .Add(static_cast<double>(readings.replication.chain_breaks), {{"kind", "chain_break"}})
            .Add(static_cast<double>(readings.replication.divergences), {{"kind", "divergence"}})
            .Add(static_cast<double>(readings.replication.protocol_errors), {{"kind", "protocol"}})
            .Take());
  }

  static void AddSignatures(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily sequence =
        Gauge("symbolon_replication_signed_sequence",
              "Sequence up to which the pool's primary signed what this Region, which follows it, has");
    for (const auto& position : readings.signed_positions) {
      sequence.Add(static_cast<double>(position.sequence), {{"pool", position.pool.value()}});
    }
    families.push_back(sequence.Take());
    families.push_back(Counter("symbolon_replication_signatures_refused_total",
                               "What this Region refused because it was not signed as it had to be")
                           .Add(static_cast<double>(readings.replication.signatures_refused))
                           .Take());
    families.push_back(Counter("symbolon_replication_rollbacks_found_total",
                               "Times that a primary, this Region or another, was found not to have what it signed")
                           .Add(static_cast<double>(readings.replication.rollbacks_found))
                           .Take());
    families.push_back(Counter("symbolon_replication_log_keys_replaced_total",
                               "Log keys of other Regions that this one replaced, because they showed another store")
                           .Add(static_cast<double>(readings.replication.log_keys_replaced))
                           .Take());
  }

  static void AddVerifications(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily ended = Gauge("symbolon_replication_verified_timestamp_seconds",
                             "When the pool's copies in all Regions were compared last by this Region");
    ReadFamily differences = Gauge("symbolon_replication_verified_differences",
                                   "Records that differed between Regions when the pool's copies were compared last");
    for (const auto& verification : readings.verifications) {
      const Labels labels = {{"pool", verification.pool.value()}};
      ended.Add(static_cast<double>(ToMicros(verification.ended)) / 1e6, labels);
      differences.Add(static_cast<double>(verification.differences), labels);
    }
    families.push_back(ended.Take());
    families.push_back(differences.Take());
  }

  static void AddAuthority(const Readings& readings, std::vector<MetricFamily>& families) {
    if (!readings.authority) return;
    const replication::AuthorityStatus& authority = *readings.authority;
    families.push_back(Gauge("symbolon_authority_lease_remaining_seconds",
                             "How long this Region may write under its lease as it is; 0: it may not")
                           .Add(authority.live ? Seconds(authority.remaining) : 0)
                           .Take());
    families.push_back(Counter("symbolon_authority_renewals_total", "Renewals of this Region's lease, by outcome")
                           .Add(static_cast<double>(authority.renewals), {{"outcome", "ok"}})
                           .Add(static_cast<double>(authority.renewals_failed), {{"outcome", "failed"}})
                           .Take());
    families.push_back(Counter("symbolon_authority_leases_lost_total", "How often this Region's lease ran out")
                           .Add(static_cast<double>(authority.leases_lost))
                           .Take());
    families.push_back(Counter("symbolon_authority_automatic_promotions_total",
                               "How often this Region set about to take a pool over by itself")
                           .Add(static_cast<double>(authority.automatic_promotions))
                           .Take());
  }

  static void AddCopies(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily records = Gauge("symbolon_replication_copy_records", "Records of a copy under way that have arrived");
    ReadFamily record_count = Gauge("symbolon_replication_copy_records_expected", "Records of a copy under way, about");
    ReadFamily bytes = Gauge("symbolon_replication_copy_bytes", "Octets of a copy under way that have arrived");
    ReadFamily byte_count = Gauge("symbolon_replication_copy_bytes_expected", "Octets of a copy under way, about");
    ReadFamily remaining =
        Gauge("symbolon_replication_copy_remaining_seconds", "Time that a copy under way will still take, about");
    for (const auto& copy : readings.copies) {
      const Labels labels = {{"pool", copy.pool.value()}, {"region", copy.region.value()}};
      records.Add(static_cast<double>(copy.records), labels);
      record_count.Add(static_cast<double>(copy.record_count), labels);
      bytes.Add(static_cast<double>(copy.bytes), labels);
      byte_count.Add(static_cast<double>(copy.byte_count), labels);
      if (copy.remaining) remaining.Add(Seconds(*copy.remaining), labels);
    }
    for (ReadFamily* family : {&records, &record_count, &bytes, &byte_count, &remaining}) {
      families.push_back(family->Take());
    }
  }

  static void AddDurability(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily out_of_reach =
        Gauge("symbolon_durability_out_of_reach", "1 while no replica can confirm what the pool's durability asks for");
    for (const auto& reach : readings.reaches) {
      out_of_reach.Add(reach.out_of_reach ? 1 : 0, {{"pool", reach.pool.value()}});
    }
    families.push_back(out_of_reach.Take());
    const Readings::DurabilityWrites& writes = readings.durability_writes;
    families.push_back(
        Counter("symbolon_durability_writes_total", "Writes that had to wait for replicas, by how that ended")
            .Add(static_cast<double>(writes.confirmed), {{"outcome", "confirmed"}})
            .Add(static_cast<double>(writes.fell_back), {{"outcome", "fell_back"}})
            .Add(static_cast<double>(writes.unconfirmed), {{"outcome", "unconfirmed"}})
            .Add(static_cast<double>(writes.refused), {{"outcome", "refused"}})
            .Take());
  }

  static void AddPeers(const Readings& readings, std::vector<MetricFamily>& families) {
    ReadFamily connected =
        Gauge("symbolon_replication_connected", "1 while this Region's connection to the Region is up");
    ReadFamily contact = Gauge("symbolon_replication_last_contact_timestamp_seconds",
                               "When anything came from the Region, on this Region's clock");
    ReadFamily clocks = Gauge("symbolon_replication_clock_difference_seconds",
                              "The Region's clock minus this Region's when last heard");
    for (const auto& peer : readings.peers) {
      const Labels labels = {{"region", peer.region.value()}};
      connected.Add(peer.connected ? 1 : 0, labels);
      if (peer.last_contact) contact.Add(static_cast<double>(ToMicros(*peer.last_contact)) / 1e6, labels);
      if (peer.clock_difference) clocks.Add(static_cast<double>(peer.clock_difference->count()) / 1e6, labels);
    }
    families.push_back(connected.Take());
    families.push_back(contact.Take());
    families.push_back(clocks.Take());
  }

  static void AddHttp(const http::ServerCounters& counters, std::vector<MetricFamily>& families) {
    const auto value = [](const std::atomic<std::uint64_t>& counter) { return static_cast<double>(counter.load()); };
    families.push_back(Gauge("symbolon_http_connections_open", "Connections to the API and operations ports")
                           .Add(value(counters.connections_open))
                           .Take());
    families.push_back(Counter("symbolon_http_connections_total", "Connections accepted")
                           .Add(value(counters.connections_accepted))
                           .Take());
    families.push_back(Counter("symbolon_http_connections_refused_total", "Connections over http.connection_limit")
                           .Add(value(counters.connections_refused))
                           .Take());
    families.push_back(
        Counter("symbolon_http_requests_total", "Requests read whole").Add(value(counters.requests)).Take());
    families.push_back(Counter("symbolon_http_requests_refused_total", "Malformed, too large or unsupported requests")
                           .Add(value(counters.requests_refused))
                           .Take());
    families.push_back(Counter("symbolon_http_handler_exceptions_total", "Requests answered by 500 after an exception")
                           .Add(value(counters.handler_exceptions))
                           .Take());
    families.push_back(
        Counter("symbolon_http_timeouts_total", "Connections that were too slow, by what they were slow at")
            .Add(value(counters.timeouts_header), {{"phase", "header"}})
            .Add(value(counters.timeouts_body), {{"phase", "body"}})
            .Add(value(counters.timeouts_idle), {{"phase", "idle"}})
            .Add(value(counters.timeouts_write), {{"phase", "write"}})
            .Take());
  }

  static void AddProcess(std::vector<MetricFamily>& families) {
    const auto process = ReadProcess();
    if (!process) return;
    families.push_back(
        Counter("process_cpu_seconds_total", "Processor time, user and system").Add(process->cpu_seconds).Take());
    families.push_back(Gauge("process_resident_memory_bytes", "Memory that is resident")
                           .Add(static_cast<double>(process->resident_bytes))
                           .Take());
    families.push_back(Gauge("process_open_fds", "Open file descriptors")
                           .Add(static_cast<double>(process->open_file_descriptors))
                           .Take());
  }

  const std::string region_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& unknown_members_;
  prometheus::Family<prometheus::Counter>& key_calls_;
  prometheus::Family<prometheus::Histogram>& key_call_durations_;
  prometheus::Counter& commits_;
  std::map<replication::ForwardOutcome, prometheus::Counter*> forwarded_;

  // Looking a metric up in its families costs more than many a request.
  std::shared_mutex mutex_;
  std::map<std::pair<std::string, std::string>, OperationMetrics, ByNames> operations_;  // guarded by mutex_

  // Fixed once Text() is called.
  std::vector<Source> sources_;
  const http::ServerCounters* http_ = nullptr;
};

Metrics::Metrics(const Region& region) : impl_(std::make_unique<Impl>(region)) {}
Metrics::~Metrics() = default;
void Metrics::CountRequest(std::string_view operation, std::string_view outcome, std::chrono::nanoseconds duration,
                           std::size_t unknown_members) {
  impl_->CountRequest(operation, outcome, duration, unknown_members);
}
void Metrics::CountCommit() { impl_->CountCommit(); }
void Metrics::CountForwarded(replication::ForwardOutcome outcome) { impl_->CountForwarded(outcome); }
void Metrics::CountKeyCall(std::string_view provider, std::string_view operation, std::string_view outcome,
                           std::chrono::nanoseconds duration) {
  impl_->CountKeyCall(provider, operation, outcome, duration);
}
void Metrics::AddSource(Source source) { impl_->AddSource(std::move(source)); }
void Metrics::SetHttpCounters(const http::ServerCounters& counters) { impl_->SetHttpCounters(counters); }
std::string Metrics::Text() const { return impl_->Text(); }

}  // namespace symbolon::node
