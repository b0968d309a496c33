#include "cli/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace symbolon::cli {
namespace {

tl::unexpected<Failure> FailErrno(std::string_view what, const std::filesystem::path& path) {
  return Fail(fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
}

bool WriteAll(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

CliResult<void> WriteFile(const std::filesystem::path& path, std::string_view content) {
  const std::string temporary = path.string() + ".new";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return FailErrno("cannot write", temporary);
  const bool written = WriteAll(file, content) && fsync(file) == 0;
  if (close(file) != 0 || !written) return FailErrno("cannot write", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return FailErrno("cannot replace", path);
  return {};
}

CliResult<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return FailErrno("cannot read", path);
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return FailErrno("cannot read", path);
  return content;
}

CliResult<void> MakeFolder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (path.has_parent_path() && path.parent_path() != path) SYMBOLON_TRY_VOID(MakeFolder(path.parent_path()));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return FailErrno("cannot make", path);
  return {};
}

std::string LastLines(const std::filesystem::path& path, std::size_t lines) {
  constexpr std::size_t kTailBytes = 64 * 1024;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  const std::streamoff from = size > static_cast<std::streamoff>(kTailBytes) ? size - kTailBytes : 0;
  file.seekg(from);
  std::string tail((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!tail.empty() && tail.back() == '\n') tail.pop_back();
  std::size_t start = tail.size();
  for (std::size_t line = 0; line < lines && start != std::string::npos; ++line) {
    start = start == 0 ? std::string::npos : tail.rfind('\n', start - 1);
  }
  return start == std::string::npos ? tail : tail.substr(start + 1);
}

}  // namespace symbolon::cli
