// Private to this module: how values that are read when somebody looks become Prometheus' families.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace symbolon::node {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// A family whose values are read when somebody looks.
class ReadFamily {
 public:
  ReadFamily(std::string name, std::string help, MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  ReadFamily& Add(double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  MetricFamily Take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

inline ReadFamily Counter(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter};
}
inline ReadFamily Gauge(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge};
}

inline double Seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace symbolon::node
