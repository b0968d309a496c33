#include <algorithm>
#include <utility>

#include "http/sigv4.h"

namespace symbolon::http {
namespace {

bool IsUnreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string PercentEncode(std::string_view text, std::string_view keep = {}) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsUnreserved(c) || keep.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += {'%', kHex[octet >> 4], kHex[octet & 15]};
    }
  }
  return out;
}

// A '%' that no two hexadecimal digits follow stands for itself.
std::string PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto octet = HexDecode(text.substr(i + 1, 2))) {
        out += *octet;
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

// The path as sent, dot segments and empty segments removed, then encoded once more: every service but S3 wants it so.
std::string CanonicalPath(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
    begin = end + 1;
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  if (kept.empty() || path.ends_with('/')) out += '/';
  return PercentEncode(out, "/");
}

std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view value = parameter.substr(std::min(parameter.size(), equals + 1));
    parameters.emplace_back(PercentEncode(PercentDecode(parameter.substr(0, equals))),
                            PercentEncode(PercentDecode(value)));
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

// Without white space at its ends, and one space for each run of it inside.
void AppendTrimmed(std::string& out, std::string_view value) {
  bool pending_space = false;
  bool begun = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t') {
      pending_space = begun;
      continue;
    }
    if (pending_space) out += ' ';
    pending_space = false;
    begun = true;
    out += c;
  }
}

}  // namespace

std::string SigV4CanonicalRequest(const Request& request, std::span<const std::string_view> signed_headers,
                                  std::string_view payload_hash_hex) {
  std::string out = request.method;
  out.append("\n").append(CanonicalPath(request.path()));
  out.append("\n").append(CanonicalQuery(request.query())).append("\n");
  for (const std::string_view signed_name : signed_headers) {
    out.append(signed_name).append(":");
    bool first = true;
    for (const auto& [name, value] : request.headers) {
      if (!EqualIgnoringCase(name, signed_name)) continue;
      if (!std::exchange(first, false)) out += ',';
      AppendTrimmed(out, value);
    }
    out += '\n';
  }
  out += '\n';
  for (std::size_t i = 0; i < signed_headers.size(); ++i) {
    if (i > 0) out += ';';
    out.append(signed_headers[i]);
  }
  out.append("\n").append(payload_hash_hex);
  return out;
}

}  // namespace symbolon::http
