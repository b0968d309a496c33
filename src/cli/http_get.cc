#include "cli/http_get.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "cli/settings.h"

namespace symbolon::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// One exchange as a chain of callbacks on an io_context of its own; the stream's expiry bounds the whole chain.
class Exchange {
 public:
  Exchange(std::uint16_t port, std::string_view path, std::chrono::milliseconds timeout) : stream_(context_) {
    request_.version(11);
    request_.method(http::verb::get);
    request_.target({path.data(), path.size()});
    request_.set(http::field::host, fmt::format("{}:{}", kLoopback, port));
    request_.set(http::field::connection, "close");
    parser_.body_limit(kHttpAnswerMaxBytes);
    stream_.expires_after(timeout);
    stream_.async_connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port),
                          [this](boost::system::error_code error) { Connected(error); });
  }

  boost::system::error_code Run() {
    context_.run();
    return error_;
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
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  http::response_parser<http::string_body> parser_;
  boost::system::error_code error_;
};

}  // namespace

CliResult<HttpAnswer> HttpGet(std::uint16_t port, std::string_view path, std::chrono::milliseconds timeout) {
  Exchange exchange(port, path, timeout);
  if (const auto error = exchange.Run()) return Fail(fmt::format("{}{}: {}", Url(port), path, error.message()));
  return exchange.TakeAnswer();
}

}  // namespace symbolon::cli
