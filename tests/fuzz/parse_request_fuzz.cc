// Any octets as the body of any operation's request. What is accepted must come back the same when it is written and
// read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/operations.h"
#include "wire/parse.h"
#include "wire/serialise.h"

namespace {

using symbolon::model::OperationFacts;
using symbolon::model::Service;

// The first octets choose the operation.
const OperationFacts& OperationOf(std::uint8_t service, std::uint8_t index) {
  constexpr Service kServices[] = {Service::kCognito, Service::kKms, Service::kOwn};
  const auto operations = symbolon::model::OperationsOf(kServices[service % std::size(kServices)]);
  return operations[index % operations.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const symbolon::wire::Shape& shape = *OperationOf(data[0], data[1]).input;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  symbolon::wire::ParseReport report;
  const auto first = symbolon::wire::ParseRequest(shape, body, report);
  if (!first) {
    SYMBOLON_CHECK(!first.error().message.empty());
    return 0;
  }
  const std::string text = symbolon::wire::Serialise(shape, first->object());
  const auto second = symbolon::wire::ParseRequest(shape, text, report);
  SYMBOLON_CHECK(second);
  SYMBOLON_CHECK(symbolon::wire::Serialise(shape, second->object()) == text);
  return 0;
}
