#include "policy/json.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <set>
#include <vector>

namespace symbolon::policy {
namespace {

namespace json = boost::json;

// Sees nothing but the names of members.
class MemberNames {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  using Error = json::error_code;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) {
    objects_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Error&) {
    objects_.pop_back();
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, Error&) {
    name_ += std::string_view(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Error& error) {
    name_ += std::string_view(part);
    if (!objects_.back().insert(name_).second) {
      repeated = name_;
      error = json::error::exception;
      return false;
    }
    name_.clear();
    return true;
  }
  bool on_string_part(json::string_view, std::size_t, Error&) { return true; }
  bool on_string(json::string_view, std::size_t, Error&) { return true; }
  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(std::int64_t, json::string_view, Error&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, Error&) { return true; }
  bool on_double(double, json::string_view, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }

  std::string repeated;

 private:
  std::vector<std::set<std::string>> objects_;
  std::string name_;
};

}  // namespace

Result<json::value, std::string> ParseJson(std::string_view text, std::size_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error) return Err(fmt::format("it is not JSON: {}", error.message()));
  json::basic_parser<MemberNames> names(options);
  names.write_some(false, text.data(), text.size(), error);
  if (!names.handler().repeated.empty()) return Err(fmt::format("\"{}\" stands in it twice", names.handler().repeated));
  if (error) return Err(fmt::format("it is not JSON: {}", error.message()));
  return value;
}

}  // namespace symbolon::policy
