#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace symbolon::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

constexpr std::string_view kEndOfHeader = "\r\n\r\n";
// A chunk's size line or the trailers must fit into this much (RFC 9112 §7.1 asks for a limit).
constexpr std::size_t kChunkHeaderLimitBytes = 4096;

int StatusOf(const error_code& error) {
  if (error == beast_http::error::header_limit) return 431;
  if (error == beast_http::error::body_limit) return 413;
  if (error == beast_http::error::bad_version) return 505;
  return 400;
}

}  // namespace

class RequestParser::Impl : public beast_http::basic_parser<true> {
 public:
  explicit Impl(const ParserLimits& parser_limits) : limits(parser_limits) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    // The real limit is known, and checked, when the header is.
    body_limit(boost::none);
  }

  Step Refuse(int status) {
    refusal_status = status;
    return Step{Progress::kRefused, 0};
  }

  // What Beast's parser leaves to its user: a refusal's status, or 0.
  int CheckHeader() {
    const Headers& headers = request.headers;
    // RFC 9112 §3.2: exactly one Host, lest two readers of the request disagree about it.
    const std::size_t hosts = headers.Count("Host");
    if (hosts > 1 || (hosts == 0 && http_1_1)) return 400;
    if (headers.Count("Transfer-Encoding") > 0 && !(http_1_1 && chunked())) return 501;
    if (const auto encoding = headers.Find("Transfer-Encoding"); encoding && !EqualIgnoringCase(*encoding, "chunked")) {
      return 501;
    }
    if (const auto expect = headers.Find("Expect")) {
      if (!EqualIgnoringCase(*expect, "100-continue")) return 417;
    }
    return CheckTarget();
  }

  int CheckTarget() {
    std::string& target = request.target;
    if (target.starts_with('/')) return 0;
    if (target == "*") return request.method == "OPTIONS" ? 0 : 400;
    if (request.method == "CONNECT") return 501;
    // RFC 9112 §3.2.2: the authority of an absolute form stands above Host.
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!EqualIgnoringCase(std::string_view(target).substr(0, scheme.size()), scheme)) continue;
      const auto authority_end = std::min(target.find_first_of("/?", scheme.size()), target.size());
      if (authority_end == scheme.size()) return 400;
      request.headers.Set("Host", target.substr(scheme.size(), authority_end - scheme.size()));
      target.erase(0, authority_end);
      if (!target.starts_with('/')) target.insert(0, 1, '/');
      return 0;
    }
    return 400;
  }

  const ParserLimits limits;
  Request request;
  int refusal_status = 0;
  bool http_1_1 = false;

 private:
  void on_request_impl(beast_http::verb, boost::beast::string_view method, boost::beast::string_view target,
                       int version, error_code&) override {
    request.method = std::string(method);
    request.target = std::string(target);
    http_1_1 = version >= 11;
  }
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_field_impl(beast_http::field, boost::beast::string_view name, boost::beast::string_view value,
                     error_code& error) override {
    if (is_header_done()) return;
    if (request.headers.size() >= limits.header_count) {
      error = beast_http::error::header_limit;
      return;
    }
    request.headers.Add(std::string(name), std::string(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
};

RequestParser::RequestParser(const ParserLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

RequestParser::Step RequestParser::ParseHeader(std::string_view input) {
  const std::size_t limit_bytes = impl_->limits.header_bytes;
  // Beast bounds each piece that it is given, not their sum, so it is given the whole header at once.
  const auto end = input.substr(0, limit_bytes).find(kEndOfHeader);
  if (end == std::string_view::npos) {
    if (input.size() < limit_bytes) return {Progress::kNeedMore, 0};
    return impl_->Refuse(input.find('\n') < limit_bytes ? 431 : 414);
  }
  const std::size_t header_size = end + kEndOfHeader.size();
  error_code error;
  impl_->eager(false);
  std::size_t consumed = 0;
  while (!impl_->is_header_done() && !error) {
    consumed += impl_->put(boost::asio::const_buffer(input.data() + consumed, header_size - consumed), error);
  }
  if (error == beast_http::error::need_more) return impl_->Refuse(400);
  if (error) return impl_->Refuse(StatusOf(error));
  if (const int status = impl_->CheckHeader(); status != 0) return impl_->Refuse(status);
  return {Progress::kDone, consumed};
}

RequestParser::Progress RequestParser::BeginBody(std::size_t limit_bytes) {
  if (const auto length = impl_->content_length(); length && *length > limit_bytes) {
    impl_->refusal_status = 413;
    return Progress::kRefused;
  }
  impl_->body_limit(limit_bytes);
  impl_->eager(true);
  return impl_->is_done() ? Progress::kDone : Progress::kNeedMore;
}

RequestParser::Step RequestParser::ParseBody(std::string_view input) {
  if (input.empty()) return {Progress::kNeedMore, 0};
  error_code error;
  const std::size_t consumed = impl_->put(boost::asio::const_buffer(input.data(), input.size()), error);
  if (error && error != beast_http::error::need_more) return impl_->Refuse(StatusOf(error));
  if (impl_->is_done()) return {Progress::kDone, consumed};
  if (input.size() - consumed > kChunkHeaderLimitBytes) return impl_->Refuse(400);
  return {Progress::kNeedMore, consumed};
}

Request& RequestParser::request() { return impl_->request; }
int RequestParser::refusal_status() const { return impl_->refusal_status; }
bool RequestParser::is_http_1_1() const { return impl_->http_1_1; }
bool RequestParser::keep_alive() const { return impl_->keep_alive(); }
bool RequestParser::expects_continue() const {
  // An HTTP/1.0 client does not know the interim answer (RFC 9110 §10.1.1).
  return impl_->http_1_1 && !impl_->is_done() && impl_->request.headers.Count("Expect") > 0;
}

}  // namespace symbolon::http
