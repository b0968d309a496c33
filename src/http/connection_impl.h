// Connection<Stream>: the same for a plain socket and for TLS, each instantiated in a source of its own. Private.
#pragma once

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/connection.h"
#include "http/request_parser.h"
#include "http/response_head.h"

namespace symbolon::http {

inline constexpr auto kUseTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

template <class Stream>
class Connection final : private WatchedConnection {
 public:
  Connection(Stream stream, Worker& worker, const ListenerOptions& listener)
      : WatchedConnection(worker),
        stream_(std::move(stream)),
        listener_(listener),
        limits_{worker.options().header_limit_bytes, worker.options().header_count_limit},
        buffer_(kBufferBeginBytes, '\0'),
        buffer_limit_bytes_(std::max(worker.options().header_limit_bytes, kBufferLeastLimitBytes)) {
    boost::system::error_code ignored;  // the peer may be gone already
    const auto peer = Socket().remote_endpoint(ignored).address();
    const bool mapped = peer.is_v6() && peer.to_v6().is_v4_mapped();
    peer_ = mapped ? boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, peer.to_v6()) : peer;
    peer_text_ = peer_.to_string();
    Socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  }

  Stream& stream() { return stream_; }

  boost::asio::awaitable<void> Run() {
    Enter(Phase::kHeader);
    while (co_await ServeRequest()) Enter(Phase::kIdle);
  }

  // After a refusal: closing a socket that holds unread octets resets the connection, and the reset may overtake the
  // answer (RFC 9112 §9.6), so end our side first and read the rest, up to a bound.
  boost::asio::awaitable<void> Linger() {
    if (!refused_ || aborted()) co_return;
    boost::system::error_code error;
    Socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
    Enter(Phase::kLinger);
    for (std::size_t total = 0; !error && total < kLingerLimitBytes && !aborted();) {
      const auto [read_error, count] = co_await Socket().async_read_some(boost::asio::buffer(buffer_), kUseTuple);
      error = read_error;
      total += count;
    }
  }

  using WatchedConnection::aborted;
  using WatchedConnection::Enter;

 private:
  static constexpr std::size_t kBufferBeginBytes = 4096;
  // More than RequestParser leaves unconsumed of a body.
  static constexpr std::size_t kBufferLeastLimitBytes = 8192;
  static constexpr std::size_t kLingerLimitBytes = 256 * 1024;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

  // Why a request did not come whole: the status to answer with before closing; nothing to a client that is gone or
  // that never began.
  using Refusal = std::optional<int>;

  void CancelIo() override {
    boost::system::error_code ignored;
    Socket().cancel(ignored);
  }
  bool AwaitsRequest() const override {
    return phase() == Phase::kIdle || (phase() == Phase::kHeader && input().empty());
  }

  boost::asio::ip::tcp::socket& Socket() {
    if constexpr (std::is_same_v<Stream, boost::asio::ip::tcp::socket>) {
      return stream_;
    } else {
      return stream_.next_layer();
    }
  }

  std::string_view input() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  // Passwords are in requests: nothing of one stays while its connection waits for the next.
  void Consume(std::size_t count) {
    Wipe(buffer_.data() + begin_, count);
    begin_ += count;
  }

  // True if the connection goes on.
  boost::asio::awaitable<bool> ServeRequest() {
    // 1. Read the request.
    RequestParser parser(limits_);
    Result<void, Refusal> read = co_await ReadHeader(parser);
    if (read) read = co_await ReadBody(parser);
    if (!read) {
      if (read.error() && !aborted()) co_await Refuse(*read.error());
      co_return false;
    }

    // 2. Have it answered.
    Enter(Phase::kHandler);
    ++worker().counters().requests;
    Request& request = parser.request();
    const std::string method = request.method;
    request.peer_address = peer_text_;
    request.is_loopback = peer_.is_loopback();
    request.is_tls = !std::is_same_v<Stream, boost::asio::ip::tcp::socket>;
    request.received = worker().clock().Now();
    ResponseFraming framing{.is_http_1_1 = parser.is_http_1_1(), .keep_alive = parser.keep_alive()};
    Response response;
    std::string failure;
    try {
      response = co_await listener_.handler(std::move(request));
    } catch (const std::exception& error) {
      failure = error.what();
      if (failure.empty()) failure = "exception without text";
    } catch (...) {
      failure = "exception of unknown type";
    }
    if (!failure.empty()) {
      ++worker().counters().handler_exceptions;
      log::Error("http: the handler failed: {}", failure);
      response = Response{.status = 500, .headers = {}, .body = {}};
      framing.keep_alive = false;
    }

    // 3. Send the answer.
    if (aborted()) co_return false;
    if (worker().draining()) framing.keep_alive = false;
    std::optional<std::string> head = ResponseHead(response, framing, worker().DateNow());
    if (!head) {
      log::Error("http: the handler's response has a header field that does not belong on the wire");
      framing.keep_alive = false;
      response = Response{.status = 500, .headers = {}, .body = {}};
      head = ResponseHead(response, framing, worker().DateNow());
    }
    if (!HasContent(response.status, method)) response.body.clear();
    const bool sent = co_await Write(*head, response.body);
    co_return sent&& framing.keep_alive;
  }

  boost::asio::awaitable<Result<void, Refusal>> ReadHeader(RequestParser& parser) {
    for (;;) {
      if (!input().empty()) {
        if (phase() == Phase::kIdle) Enter(Phase::kHeader);
        const RequestParser::Step step = parser.ParseHeader(input());
        Consume(step.consumed);
        if (step.progress == RequestParser::Progress::kDone) co_return Result<void, Refusal>();
        if (step.progress == RequestParser::Progress::kRefused) co_return Err(Refusal(parser.refusal_status()));
      } else if (worker().draining()) {
        co_return Err(Refusal());
      }
      if (co_await ReadSome()) continue;
      if (input().empty()) co_return Err(Refusal());
      co_return Err(Refusal(expired() ? 408 : 400));
    }
  }

  boost::asio::awaitable<Result<void, Refusal>> ReadBody(RequestParser& parser) {
    const std::size_t limit_bytes = listener_.body_limit_bytes(parser.request());
    RequestParser::Progress progress = parser.BeginBody(limit_bytes);
    if (progress == RequestParser::Progress::kNeedMore) {
      if (parser.expects_continue() && input().empty()) {
        if (!co_await Write(kContinue, {})) co_return Err(Refusal());
      }
      Enter(Phase::kBody);
    }
    while (progress == RequestParser::Progress::kNeedMore) {
      const RequestParser::Step step = parser.ParseBody(input());
      Consume(step.consumed);
      progress = step.progress;
      if (progress != RequestParser::Progress::kNeedMore) break;
      if (!co_await ReadSome()) co_return Err(Refusal(expired() ? 408 : 400));
    }
    if (progress == RequestParser::Progress::kRefused) co_return Err(Refusal(parser.refusal_status()));
    co_return Result<void, Refusal>();
  }

  // False at the end of the stream, on an error and on a time-out.
  boost::asio::awaitable<bool> ReadSome() {
    if (aborted() || expired()) co_return false;
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == buffer_.size() && begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      Wipe(buffer_.data() + end_, begin_);
      begin_ = 0;
    }
    if (end_ == buffer_.size()) {
      SYMBOLON_CHECK(buffer_.size() < buffer_limit_bytes_);
      buffer_.resize(std::min(buffer_.size() * 2, buffer_limit_bytes_));
    }
    const auto [error, count] =
        co_await stream_.async_read_some(boost::asio::buffer(buffer_.data() + end_, buffer_.size() - end_), kUseTuple);
    end_ += count;
    co_return !error;
  }

  boost::asio::awaitable<bool> Write(std::string_view head, std::string_view body) {
    if (aborted()) co_return false;
    Enter(Phase::kWrite);
    const std::array<boost::asio::const_buffer, 2> buffers = {boost::asio::buffer(head.data(), head.size()),
                                                              boost::asio::buffer(body.data(), body.size())};
    const auto [error, count] = co_await boost::asio::async_write(stream_, buffers, kUseTuple);
    co_return !error;
  }

  // Answers what never became a request.
  boost::asio::awaitable<void> Refuse(int status) {
    ++worker().counters().requests_refused;
    Response response{.status = status, .headers = {{"Content-Type", "text/plain"}}, .body = {}};
    response.body = std::to_string(status) + " " + std::string(ReasonPhrase(status)) + "\n";
    const auto head = ResponseHead(response, {.is_http_1_1 = true, .keep_alive = false}, worker().DateNow());
    refused_ = co_await Write(*head, response.body);
  }

  Stream stream_;
  const ListenerOptions& listener_;
  const ParserLimits limits_;
  boost::asio::ip::address peer_;
  std::string peer_text_;
  // Octets [begin_, end_) were read and not yet parsed: the next requests of a pipeline wait here.
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  const std::size_t buffer_limit_bytes_;
  bool refused_ = false;
};

}  // namespace symbolon::http
