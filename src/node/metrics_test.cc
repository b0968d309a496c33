#include "node/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace symbolon::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Every kind of thing once.
void CountOneOfEach(Metrics& metrics, const http::ServerCounters& counters) {
  metrics.CountRequest("SignUp", "ok", std::chrono::milliseconds(3), 2);
  metrics.CountCommit();
  metrics.CountKeyCall("pkcs11", "Decrypt", "removed", std::chrono::milliseconds(3));
  metrics.SetHttpCounters(counters);
  metrics.AddSource([](Metrics::Readings& readings) {
    readings.ready = true;
    readings.signatures += 2;
    readings.users = {.reloads = 7, .failures = 1, .stale = true};
    readings.log_positions.push_back({PoolId("eu-central-1_A"), 2, 17, 9, 4096});
    readings.replicas.push_back({.pool = PoolId("eu-central-1_A"),
                                 .region = Region("us-east-1"),
                                 .lag_entries = 5,
                                 .lag_time = std::chrono::milliseconds(250),
                                 .acknowledged_sequence = 12});
    readings.replicas.push_back({.pool = PoolId("eu-central-1_A"), .region = Region("ap-south-1"), .lag_entries = 17});
    readings.fact_lags.push_back({.pool = PoolId("eu-central-1_A"), .region = Region("us-east-1"), .entries = 21});
    readings.replication.facts_sent = 31;
    readings.replication.facts_merged = 32;
    readings.first_sign_ins = {.absorbed = 8, .refused = 2, .waiting = 1, .kept = 3};
    readings.copies.push_back({.pool = PoolId("eu-central-1_A"),
                               .region = Region("ap-south-1"),
                               .records = 3,
                               .record_count = 9,
                               .bytes = 300,
                               .byte_count = 900,
                               .remaining = std::chrono::seconds(4)});
    readings.keys = {.locked = {{"disabled", 2}, {"removed", 0}},
                     .lost = 1,
                     .data_keys = {},
                     .reencryptions = {},
                     .untold = {{"us-east-1", 4}}};
    readings.keys.data_keys.push_back({PoolId("eu-central-1_A"), std::chrono::hours(1)});
    readings.keys.reencryptions.push_back({.pool = PoolId("eu-central-1_A"),
                                           .records_done = 7,
                                           .records_expected = 70,
                                           .records_per_second = 3.5,
                                           .waits = true});
    readings.reaches.push_back({.pool = PoolId("eu-central-1_A"), .out_of_reach = true});
    readings.durability_writes.fell_back = 6;
    readings.peers.push_back({.region = Region("us-east-1"),
                              .connected = true,
                              .last_contact = FromSeconds(1'000),
                              .clock_difference = std::chrono::milliseconds(-1'500)});
    readings.admissions.push_back({.pool = PoolId("eu-central-1_A"),
                                   .admits_writes = true,
                                   .automatic_promotion_wait = std::chrono::milliseconds(412'500)});
    readings.signed_positions.push_back({PoolId("eu-central-1_B"), 16});
    readings.verifications.push_back({.pool = PoolId("eu-central-1_A"), .ended = FromSeconds(2'000), .differences = 3});
    readings.authority = replication::AuthorityStatus{.live = true,
                                                      .remaining = std::chrono::milliseconds(7'500),
                                                      .automatic_promotion = true,
                                                      .problem = "",
                                                      .renewals = 9,
                                                      .renewals_failed = 2,
                                                      .leases_lost = 1,
                                                      .automatic_promotions = 1};
  });
}

TEST(Metrics, AllNames_StandInTheGoldenList) {
  Metrics metrics(Region("eu-central-1"));
  http::ServerCounters counters;
  CountOneOfEach(metrics, counters);
  std::istringstream text(metrics.Text());
  std::set<std::string> names;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) names.insert(line.substr(7));
  }
  std::ifstream file(SYMBOLON_NODE_SOURCE "/metrics_golden.txt");
  std::set<std::string> golden;
  for (std::string line; std::getline(file, line);) golden.insert(line);
  EXPECT_EQ(names, golden)
      << "dashboards and alarms depend on these: change metrics_golden.txt and docs/metrics.md too";
}

TEST(Metrics, Values_AreAsCounted) {
  Metrics metrics(Region("eu-central-1"));
  http::ServerCounters counters;
  CountOneOfEach(metrics, counters);
  metrics.CountRequest("SignUp", "UsernameExistsException", std::chrono::seconds(9), 0);
  counters.timeouts_body = 4;
  const std::string text = metrics.Text();
  for (const char* line : {
           "symbolon_requests_total{operation=\"SignUp\",outcome=\"ok\"} 1\n",
           "symbolon_requests_total{operation=\"SignUp\",outcome=\"UsernameExistsException\"} 1\n",
           "symbolon_request_duration_seconds_bucket{operation=\"SignUp\",le=\"0.0025\"} 0\n",
           "symbolon_request_duration_seconds_bucket{operation=\"SignUp\",le=\"0.005\"} 1\n",
           "symbolon_request_duration_seconds_count{operation=\"SignUp\"} 2\n",
           "symbolon_unknown_members_total{operation=\"SignUp\"} 2\n",
           "symbolon_signatures_total 2\n",
           "symbolon_commits_total 1\n",
           "symbolon_iam_reloads_total{outcome=\"ok\"} 7\n",
           "symbolon_iam_reloads_total{outcome=\"failed\"} 1\n",
           "symbolon_iam_stale 1\n",
           "symbolon_ready 1\n",
           "symbolon_log_epoch{pool=\"eu-central-1_A\"} 2\n",
           "symbolon_log_sequence{pool=\"eu-central-1_A\"} 17\n",
           "symbolon_log_kept_entries{pool=\"eu-central-1_A\"} 9\n",
           "symbolon_log_kept_bytes{pool=\"eu-central-1_A\"} 4096\n",
           "symbolon_replication_lag_entries{pool=\"eu-central-1_A\",region=\"us-east-1\"} 5\n",
           "symbolon_replication_lag_seconds{pool=\"eu-central-1_A\",region=\"us-east-1\"} 0.25\n",
           "symbolon_replication_acknowledged_sequence{pool=\"eu-central-1_A\",region=\"us-east-1\"} 12\n",
           "symbolon_replication_lag_entries{pool=\"eu-central-1_A\",region=\"ap-south-1\"} 17\n",
           "symbolon_replication_facts_unacknowledged{pool=\"eu-central-1_A\",region=\"us-east-1\"} 21\n",
           "symbolon_replication_facts_total{event=\"sent\"} 31\n",
           "symbolon_replication_facts_total{event=\"merged\"} 32\n",
           "symbolon_first_sign_ins_total{outcome=\"absorbed\"} 8\n",
           "symbolon_first_sign_ins_total{outcome=\"refused\"} 2\n",
           "symbolon_first_sign_ins{kept_for=\"verification\"} 1\n",
           "symbolon_first_sign_ins{kept_for=\"members\"} 3\n",
           "symbolon_replication_copy_records{pool=\"eu-central-1_A\",region=\"ap-south-1\"} 3\n",
           "symbolon_replication_copy_bytes_expected{pool=\"eu-central-1_A\",region=\"ap-south-1\"} 900\n",
           "symbolon_replication_copy_remaining_seconds{pool=\"eu-central-1_A\",region=\"ap-south-1\"} 4\n",
           "symbolon_key_calls_total{operation=\"Decrypt\",outcome=\"removed\",provider=\"pkcs11\"} 1\n",
           "symbolon_key_call_duration_seconds_count{operation=\"Decrypt\",provider=\"pkcs11\"} 1\n",
           "symbolon_pools_locked{reason=\"disabled\"} 2\n",
           "symbolon_pools_locked{reason=\"removed\"} 0\n",
           "symbolon_pools_lost 1\n",
           "symbolon_kms_keys_untold{region=\"us-east-1\"} 4\n",
           "symbolon_data_key_age_seconds{pool=\"eu-central-1_A\"} 3600\n",
           "symbolon_reencryption_records_done{pool=\"eu-central-1_A\"} 7\n",
           "symbolon_reencryption_records_expected{pool=\"eu-central-1_A\"} 70\n",
           "symbolon_reencryption_records_per_second{pool=\"eu-central-1_A\"} 3.5\n",
           "symbolon_reencryption_waiting{pool=\"eu-central-1_A\"} 1\n",
           "symbolon_authority_lease_remaining_seconds 7.5\n",
           "symbolon_authority_automatic_promotion_wait_seconds{pool=\"eu-central-1_A\"} 412.5\n",
           "symbolon_authority_renewals_total{outcome=\"failed\"} 2\n",
           "symbolon_durability_out_of_reach{pool=\"eu-central-1_A\"} 1\n",
           "symbolon_durability_writes_total{outcome=\"fell_back\"} 6\n",
           "symbolon_replication_connected{region=\"us-east-1\"} 1\n",
           "symbolon_replication_clock_difference_seconds{region=\"us-east-1\"} -1.5\n",
           "symbolon_replication_last_contact_timestamp_seconds{region=\"us-east-1\"} 1000\n",
           "symbolon_replication_verified_timestamp_seconds{pool=\"eu-central-1_A\"} 2000\n",
           "symbolon_replication_verified_differences{pool=\"eu-central-1_A\"} 3\n",
           "symbolon_http_timeouts_total{phase=\"body\"} 4\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("symbolon_replication_lag_seconds{pool=\"eu-central-1_A\",region=\"ap-south-1\"}")));
}

TEST(Metrics, CountedOnManyThreads_NothingIsLost) {
  Metrics metrics(Region("eu-central-1"));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        metrics.CountRequest("Op" + std::to_string(i % 10), "ok", std::chrono::microseconds(1), 0);
      }
    });
  }
  threads.clear();
  EXPECT_THAT(metrics.Text(), HasSubstr("symbolon_requests_total{operation=\"Op7\",outcome=\"ok\"} 400\n"));
}

}  // namespace
}  // namespace symbolon::node
