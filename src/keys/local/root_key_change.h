// Another protection of the root key: another passphrase, a passphrase instead of none, a CMK instead of a passphrase.
#pragma once

#include "keys/local/local_key_provider.h"

namespace symbolon::keys::local {

// Writes the root key file anew, protected as `options` say. The root key itself and the key file stay as they are.
// Refused while a process has the keys open, and when the root key does not open the key file. `former_of` gives the
// guard that opens the file as it is, whose content it is shown. Blocks. Errors: kUnavailable, nothing has changed; the
// detail says what the operator has to do.
LocalKeyResult<void> ChangeRootKeyProtection(const LocalKeyProvider::Options& options,
                                             const std::function<RootKeyGuard(BytesView content)>& former_of,
                                             Random& random);

}  // namespace symbolon::keys::local
