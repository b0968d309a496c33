// Private to this module: a key with its material, and its form in the key file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "keys/local/import_algorithm.h"
#include "keys/local/key_facts.h"
#include "keys/local/key_store.pb.h"
#include "keys/local/material.h"

namespace symbolon::keys::local {

// The private half of a key pair that wraps material on its way here.
struct ImportKey {
  Bytes token_id;
  ImportAlgorithm algorithm{};
  Timestamp expires{};
  std::shared_ptr<const Secret> private_key;  // PKCS #8
};

// Immutable once it is in the provider: a changed key is a new one, which shares the material.
struct LocalKey {
  using Materials = std::map<std::uint32_t, std::shared_ptr<const KeyMaterial>>;

  KeyFacts facts;
  // By version; those that are there, and not withheld.
  Materials materials;
  // Ascending by expiry.
  std::vector<ImportKey> import_keys;

  // Its state does not allow its use: the material is in the file only.
  bool IsWithheld() const { return facts.disabled || facts.deletion_window_days > 0 || facts.deletion; }
  // Some material that is there is not in memory.
  bool LacksOctets() const;

  // nullptr: nothing to encrypt with.
  const KeyMaterial* current() const;
  // nullptr: not made under material that this key has.
  const KeyMaterial* MaterialOf(BytesView ciphertext) const;

  // Adds a version that the key has not, with its facts.
  void AddMaterial(std::uint32_t version, Secret octets);
  // The octets go, the facts stay.
  void DropMaterial(std::uint32_t version);
  MaterialFacts& FactsOf(std::uint32_t version);
};

using KeyPointer = std::shared_ptr<const LocalKey>;

// Of 32 octets of material under a key's id, 64 hexadecimal digits.
std::string MaterialId(std::string_view key_id, BytesView octets);

void Store(const LocalKey& key, pb::StoredKey& stored);
// nullptr for a key without usable material. `default_policy` is that of keys that have none of their own.
KeyPointer Restore(const pb::StoredKey& stored, std::string arn, std::shared_ptr<const std::string> default_policy);

}  // namespace symbolon::keys::local
