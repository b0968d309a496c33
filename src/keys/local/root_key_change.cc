#include "keys/local/root_key_change.h"

#include "keys/local/key_file.h"
#include "keys/local/key_store.pb.h"

namespace symbolon::keys::local {
namespace {

tl::unexpected<LocalKeyError> Refuse(std::string detail) {
  return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, std::move(detail)});
}

}  // namespace

LocalKeyResult<void> ChangeRootKeyProtection(const LocalKeyProvider::Options& options,
                                             const std::function<RootKeyGuard(BytesView content)>& former_of,
                                             Random& random) {
  const auto lock = DirectoryLock::Take(options.LockFile());
  if (!lock) return Refuse(lock.error().detail);
  const std::filesystem::path file = options.RootKeyFile();
  const auto stored = ReadSecretFile(file, kRootKeyFileBytesMax);
  if (!stored) return Refuse(stored.error().detail);
  if (!*stored) return Refuse(file.string() + " is not there");
  const RootKeyGuard former = former_of((*stored)->view());
  const auto root_key = OpenRootKey((*stored)->view(), former);
  if (!root_key) return Refuse(file.string() + " " + root_key.error());
  pb::StoredKeys keys;
  const auto opened = KeyFile(options.KeysFile(), *root_key).Read(keys);
  WipeStoredKeys(keys);
  if (!opened) return Refuse(opened.error().detail);

  const auto content = ProtectRootKey(*root_key, options.root_key_guard, random);
  if (!content) return Refuse(content.error());
  // What nobody could open again must not replace what can be opened.
  const auto again = OpenRootKey(content->view(), options.root_key_guard);
  if (!again) return Refuse("the root key does not open again: " + again.error());
  if (auto written = WriteFileDurably(file, content->view()); !written) return Refuse(written.error().detail);
  return {};
}

}  // namespace symbolon::keys::local
