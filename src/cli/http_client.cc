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
#include <optional>

namespace symbolon::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Request = http::request<http::string_body>;

}  // namespace

// Each exchange is a chain of callbacks on an io_context of its own.
class HttpConnection::Impl {
 public:
  Impl(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

  CliResult<HttpAnswer> Exchange(Request request, std::chrono::milliseconds timeout) {
    request_ = std::move(request);
    request_.version(11);
    request_.set(http::field::host, HostHeader(host_, port_));
    request_.prepare_payload();
    parser_.emplace();
    parser_->body_limit(kHttpAnswerMaxBytes);
    error_ = {};
    if (stream_) {
      Write();
    } else {
      Connect();
    }
    context_.restart();
    context_.run_for(timeout);
    if (!context_.stopped()) error_ = asio::error::timed_out;
    if (error_) {
      const std::string target(request_.target());
      Close();
      return Fail(fmt::format("{}:{}{}: {}", host_, port_, target, error_.message()));
    }
    if (!parser_->keep_alive()) Close();
    return HttpAnswer{static_cast<int>(parser_->get().result_int()), std::move(parser_->get().body())};
  }

 private:
  void Connect() {
    stream_.emplace(context_);
    resolver_.emplace(context_);
    resolver_->async_resolve(
        host_, std::to_string(port_), [this](boost::system::error_code error, const auto& addresses) {
          if (Failed(error)) return;
          stream_->async_connect(addresses, [this](boost::system::error_code connected, const auto&) {
            if (Failed(connected)) return;
            boost::system::error_code ignored;
            stream_->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
            Write();
          });
        });
  }
  void Write() {
    http::async_write(*stream_, request_, [this](boost::system::error_code error, std::size_t) {
      if (Failed(error)) return;
      http::async_read(*stream_, buffer_, *parser_,
                       [this](boost::system::error_code read, std::size_t) { Failed(read); });
    });
  }
  bool Failed(boost::system::error_code error) {
    error_ = error;
    return static_cast<bool>(error);
  }
  // What is under way ends with an error, so that nothing refers to this object any more.
  void Close() {
    const auto why = error_;
    stream_.reset();
    resolver_.reset();
    context_.restart();
    context_.run();
    buffer_.clear();
    error_ = why;
  }

  const std::string host_;
  const std::uint16_t port_;
  asio::io_context context_;
  std::optional<asio::ip::tcp::resolver> resolver_;
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  Request request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  boost::system::error_code error_;
};

HttpConnection::HttpConnection(std::string host, std::uint16_t port)
    : impl_(std::make_unique<Impl>(std::move(host), port)) {}
HttpConnection::~HttpConnection() = default;

CliResult<HttpAnswer> HttpConnection::Post(std::string_view path, const HttpHeaders& headers, std::string body,
                                           std::chrono::milliseconds timeout) {
  Request request(http::verb::post, {path.data(), path.size()}, 11, std::move(body));
  for (const auto& [name, value] : headers) request.set(name, value);
  return impl_->Exchange(std::move(request), timeout);
}

std::string HostHeader(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

CliResult<HttpAnswer> HttpPost(const std::string& host, std::uint16_t port, std::string_view path,
                               const HttpHeaders& headers, std::string body, std::chrono::milliseconds timeout) {
  HttpHeaders all = headers;
  all.emplace_back("Connection", "close");
  return HttpConnection(host, port).Post(path, all, std::move(body), timeout);
}

CliResult<HttpAnswer> HttpGet(const std::string& host, std::uint16_t port, std::string_view path,
                              std::chrono::milliseconds timeout) {
  Request request(http::verb::get, {path.data(), path.size()}, 11);
  request.set(http::field::connection, "close");
  return HttpConnection(host, port).impl_->Exchange(std::move(request), timeout);
}

}  // namespace symbolon::cli
