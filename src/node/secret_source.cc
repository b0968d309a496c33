#include "node/secret_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/durable_file.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kSecretBytesMax = 1024;
constexpr std::size_t kWithLineEndMax = kSecretBytesMax + 2;

Result<Secret, std::string> ReadFile(const std::filesystem::path& file) {
  auto content = ReadSecretFile(file, kWithLineEndMax);
  if (!content) return Err(std::move(content).error().detail);
  if (!*content) return Err(fmt::format("{} is not there", file.string()));
  return **std::move(content);
}

Result<Secret, std::string> ReadVariable(const std::string& variable) {
  const char* const value = ::getenv(variable.c_str());
  if (value == nullptr) return Err(fmt::format("there is no environment variable {}", variable));
  return Secret::CopyOf(value);
}

Result<Secret, std::string> ReadDescriptor(int descriptor) {
  Bytes content(kWithLineEndMax + 1, '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = ::read(descriptor, content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      Wipe(content.data(), content.size());
      return Err(fmt::format("cannot read file descriptor {}: {}", descriptor, std::generic_category().message(errno)));
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  ::close(descriptor);
  content.resize(filled);
  return Secret(std::move(content));
}

std::string NameOf(const SecretSource& source) {
  if (!source.file.empty()) return source.file.string();
  return source.descriptor ? fmt::format("file descriptor {}", *source.descriptor) : source.variable;
}

}  // namespace

Result<Secret, std::string> ReadSecret(const SecretSource& source) {
  SYMBOLON_CHECK(source.given());
  const auto content = source.descriptor      ? ReadDescriptor(*source.descriptor)
                       : !source.file.empty() ? ReadFile(source.file)
                                              : ReadVariable(source.variable);
  if (!content) return Err(content.error());
  std::string_view secret = content->view();
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.remove_suffix(1);
  if (!secret.empty() && secret.size() <= kSecretBytesMax) return Secret::CopyOf(secret);
  return Err(fmt::format("{} must hold 1 to {} octets", NameOf(source), kSecretBytesMax));
}

}  // namespace symbolon::node
