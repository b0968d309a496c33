// The requests of a load, made from one template: octets ready to be sent. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "load/aws_signer.h"

namespace symbolon::bench {

// `{n}` in a header's value or in the body stands for the request's number, `{line}` for one of `lines`, taken in turn.
struct RequestTemplate {
  std::string method = "POST";
  std::string path = "/";
  // With Host, without Content-Length.
  std::vector<HeaderField> headers;
  std::string body;
  std::vector<std::string> lines;
  // Set: every request is signed.
  std::optional<AwsSigner::Scope> sign_as;
};

class RequestMaker {
 public:
  // `clock` dates the signatures and must outlive this.
  RequestMaker(RequestTemplate pattern, Clock& clock);

  // Valid until the next call.
  const std::string& Make(std::uint64_t number);

 private:
  std::string Fill(const std::string& text, std::uint64_t number) const;
  void Build(std::uint64_t number);

  const RequestTemplate pattern_;
  Clock& clock_;
  std::optional<AwsSigner> signer_;
  // Whether requests differ.
  const bool varies_;
  std::string made_;
};

}  // namespace symbolon::bench
