// A PKCS #11 module for tests: SoftHSM behind a door and a line. While FaultyModuleShut(true) holds, C_Decrypt does not
// come back; while FaultyModuleBreak(true) holds, its token is out of reach, as an HSM whose network is down.
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace {

std::mutex door_mutex;
std::condition_variable door;
bool shut = false;
std::atomic<bool> broken = false;
CK_FUNCTION_LIST real;

CK_RV Decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR sealed, CK_ULONG sealed_size, CK_BYTE_PTR plain,
              CK_ULONG_PTR plain_size) {
  {
    std::unique_lock lock(door_mutex);
    door.wait(lock, [] { return !shut; });
  }
  return real.C_Decrypt(session, sealed, sealed_size, plain, plain_size);
}

CK_RV GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  return broken ? CKR_DEVICE_ERROR : real.C_GetTokenInfo(slot, info);
}

CK_RV FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR criteria, CK_ULONG count) {
  return broken ? CKR_DEVICE_ERROR : real.C_FindObjectsInit(session, criteria, count);
}

}  // namespace

extern "C" void FaultyModuleShut(bool is_shut) {
  std::lock_guard guard(door_mutex);
  shut = is_shut;
  door.notify_all();
}

extern "C" void FaultyModuleBreak(bool is_broken) { broken = is_broken; }

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR functions) {
  static CK_FUNCTION_LIST with_faults;
  void* const library = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* list = nullptr;
  if (get == nullptr || get(&list) != CKR_OK) return CKR_GENERAL_ERROR;
  real = *list;
  with_faults = real;
  with_faults.C_Decrypt = Decrypt;
  with_faults.C_GetTokenInfo = GetTokenInfo;
  with_faults.C_FindObjectsInit = FindObjectsInit;
  *functions = &with_faults;
  return CKR_OK;
}
