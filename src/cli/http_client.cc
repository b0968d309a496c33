#include "cli/http_client.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace symbolon::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// One exchange as a chain of callbacks on an io_context of its own.
class Exchange {
 public:
  Exchange(const std::string& host, std::uint16_t port, http::request<http::string_body> request)
      : resolver_(context_), stream_(context_), request_(std::move(request)) {
    request_.version(11);
    request_.set(http::field::host, HostHeader(host, port));
    request_.set(http::field::connection, "close");
    request_.prepare_payload();
    parser_.body_limit(kHttpAnswerMaxBytes);
    resolver_.async_resolve(host, std::to_string(port), [this](boost::system::error_code error, const auto& addresses) {
      if (Failed(error)) return;
      stream_.async_connect(addresses,
                            [this](boost::system::error_code connected, const auto&) { Connected(connected); });
    });
  }

  boost::system::error_code Run(std::chrono::milliseconds timeout) {
    context_.run_for(timeout);
    return context_.stopped() ? error_ : asio::error::timed_out;
  }
  HttpAnswer TakeAnswer() { return {static_cast<int>(parser_.get().result_int()), std::move(parser_.get().body())}; }

 private:
  void Connected(boost::system::error_code error) {
    if (Failed(error)) return;
    http::async_write(stream_, request_, [this](boost::system::error_code written, std::size_t) { Written(written); });
  }
  void Written(boost::system::error_code error) {
    if (Failed(error)) return;
    http::async_read(stream_, buffer_, parser_, [this](boost::system::error_code read, std::size_t) { Failed(read); });
  }
  bool Failed(boost::system::error_code error) {
    error_ = error;
    return static_cast<bool>(error);
  }

  asio::io_context context_;
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  boost::system::error_code error_;
};

CliResult<HttpAnswer> Ask(const std::string& host, std::uint16_t port, http::request<http::string_body> request,
                          std::chrono::milliseconds timeout) {
  const std::string path(request.target());
  Exchange exchange(host, port, std::move(request));
  if (const auto error = exchange.Run(timeout)) {
    return Fail(fmt::format("{}:{}{}: {}", host, port, path, error.message()));
  }
  return exchange.TakeAnswer();
}

}  // namespace

std::string HostHeader(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

CliResult<HttpAnswer> HttpPost(const std::string& host, std::uint16_t port, std::string_view path,
                               const HttpHeaders& headers, std::string body, std::chrono::milliseconds timeout) {
  http::request<http::string_body> request(http::verb::post, {path.data(), path.size()}, 11, std::move(body));
  for (const auto& [name, value] : headers) request.set(name, value);
  return Ask(host, port, std::move(request), timeout);
}

CliResult<HttpAnswer> HttpGet(const std::string& host, std::uint16_t port, std::string_view path,
                              std::chrono::milliseconds timeout) {
  return Ask(host, port, {http::verb::get, {path.data(), path.size()}, 11}, timeout);
}

}  // namespace symbolon::cli
