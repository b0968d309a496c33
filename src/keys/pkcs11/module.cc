#include "keys/pkcs11/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

namespace symbolon::keys::pkcs11 {
namespace {

struct LoadedModule {
  std::unique_ptr<Module> module;
  std::size_t users = 0;
};

struct LoadedModules {
  std::mutex mutex;
  std::map<std::filesystem::path, LoadedModule> by_library;
};

LoadedModules& Loaded() {
  static LoadedModules* const modules = new LoadedModules;
  return *modules;
}

Result<CK_FUNCTION_LIST*, std::string> FunctionsOf(const std::filesystem::path& library) {
  // Never closed: libraries leave threads and exit handlers behind.
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return Err(fmt::format("cannot load the PKCS #11 module: {}", ::dlerror()));
  const auto get_functions = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(handle, "C_GetFunctionList"));
  if (get_functions == nullptr) return Err(fmt::format("{} is no PKCS #11 module", library.string()));
  CK_FUNCTION_LIST* functions = nullptr;
  const CK_RV answer = get_functions(&functions);
  if (answer == CKR_OK && functions != nullptr) return functions;
  return Err(fmt::format("{}: C_GetFunctionList: {}", library.string(), NameOf(answer)));
}

}  // namespace

Result<std::shared_ptr<Module>, std::string> Module::Load(const std::filesystem::path& library) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(library, error);
  if (error) return Err(fmt::format("{}: {}", library.string(), error.message()));
  LoadedModules& loaded = Loaded();
  std::lock_guard guard(loaded.mutex);
  if (!loaded.by_library.contains(path)) {
    SYMBOLON_TRY(CK_FUNCTION_LIST* const functions, FunctionsOf(path));
    std::unique_ptr<Module> module(new Module(functions));
    if (const CK_RV answer = module->Initialise(); answer != CKR_OK) {
      return Err(fmt::format("{}: C_Initialize: {}", path.string(), NameOf(answer)));
    }
    loaded.by_library[path].module = std::move(module);
  }
  LoadedModule& entry = loaded.by_library[path];
  ++entry.users;
  return std::shared_ptr<Module>(entry.module.get(), [path](Module*) {
    std::lock_guard last_guard(Loaded().mutex);
    const auto found = Loaded().by_library.find(path);
    if (--found->second.users == 0) Loaded().by_library.erase(found);
  });
}

CK_RV Module::Initialise() {
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV answer = functions_->C_Initialize(&arguments);
  initialised_ = answer == CKR_OK || answer == CKR_CRYPTOKI_ALREADY_INITIALIZED;
  return initialised_ ? CKR_OK : answer;
}

Module::~Module() {
  if (initialised_) functions_->C_Finalize(nullptr);
}

void Module::Restart(std::uint64_t run) {
  std::unique_lock alone(running_, std::try_to_lock);
  if (!alone.owns_lock() || run_ != run) return;
  if (initialised_) functions_->C_Finalize(nullptr);
  ++run_;
  Initialise();
}

std::string NameOf(CK_RV value) {
  switch (value) {
#define SYMBOLON_NAME(name) \
  case name:                \
    return #name;
    SYMBOLON_NAME(CKR_OK)
    SYMBOLON_NAME(CKR_HOST_MEMORY)
    SYMBOLON_NAME(CKR_SLOT_ID_INVALID)
    SYMBOLON_NAME(CKR_GENERAL_ERROR)
    SYMBOLON_NAME(CKR_FUNCTION_FAILED)
    SYMBOLON_NAME(CKR_ARGUMENTS_BAD)
    SYMBOLON_NAME(CKR_ATTRIBUTE_TYPE_INVALID)
    SYMBOLON_NAME(CKR_DEVICE_ERROR)
    SYMBOLON_NAME(CKR_DEVICE_MEMORY)
    SYMBOLON_NAME(CKR_DEVICE_REMOVED)
    SYMBOLON_NAME(CKR_ENCRYPTED_DATA_INVALID)
    SYMBOLON_NAME(CKR_ENCRYPTED_DATA_LEN_RANGE)
    SYMBOLON_NAME(CKR_FUNCTION_NOT_SUPPORTED)
    SYMBOLON_NAME(CKR_KEY_FUNCTION_NOT_PERMITTED)
    SYMBOLON_NAME(CKR_KEY_HANDLE_INVALID)
    SYMBOLON_NAME(CKR_KEY_TYPE_INCONSISTENT)
    SYMBOLON_NAME(CKR_MECHANISM_INVALID)
    SYMBOLON_NAME(CKR_MECHANISM_PARAM_INVALID)
    SYMBOLON_NAME(CKR_OBJECT_HANDLE_INVALID)
    SYMBOLON_NAME(CKR_OPERATION_ACTIVE)
    SYMBOLON_NAME(CKR_PIN_INCORRECT)
    SYMBOLON_NAME(CKR_PIN_EXPIRED)
    SYMBOLON_NAME(CKR_PIN_LOCKED)
    SYMBOLON_NAME(CKR_SESSION_CLOSED)
    SYMBOLON_NAME(CKR_SESSION_COUNT)
    SYMBOLON_NAME(CKR_SESSION_HANDLE_INVALID)
    SYMBOLON_NAME(CKR_TOKEN_NOT_PRESENT)
    SYMBOLON_NAME(CKR_TOKEN_NOT_RECOGNIZED)
    SYMBOLON_NAME(CKR_USER_NOT_LOGGED_IN)
    SYMBOLON_NAME(CKR_USER_PIN_NOT_INITIALIZED)
    SYMBOLON_NAME(CKR_CRYPTOKI_NOT_INITIALIZED)
#undef SYMBOLON_NAME
    default:
      return fmt::format("0x{:08x}", value);
  }
}

}  // namespace symbolon::keys::pkcs11
