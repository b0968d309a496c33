// A PKCS #11 module: the shared library by which the maker of an HSM lets programs use it.
#pragma once

#include <p11-kit/pkcs11.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <shared_mutex>
#include <string>

#include "base/result.h"

namespace symbolon::keys::pkcs11 {

// One for each library and process, however many use it: a library is initialised once for a whole process. It is
// finalised with the last user, and stays loaded. Thread-safe. Any call into a module may block for ever.
class Module {
 public:
  // The error says what the operator has to do.
  static Result<std::shared_ptr<Module>, std::string> Load(const std::filesystem::path& library);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // A stay in the module; sessions live as long as its run is the current one.
  class Visit {
   public:
    CK_FUNCTION_LIST* operator->() const { return module_.functions_; }
    std::uint64_t run() const { return module_.run_; }
    // False: the module could not be started again after its end.
    bool usable() const { return module_.initialised_; }

   private:
    friend class Module;
    explicit Visit(const Module& module) : module_(module), stay_(module.running_) {}
    const Module& module_;
    std::shared_lock<std::shared_mutex> stay_;
  };
  Visit Enter() const { return Visit(*this); }

  // Ends the module and begins its next run, after which many find a token that has come back. Does nothing when
  // `run` is not the current one any more, and gives way to visits that are under way.
  void Restart(std::uint64_t run);

 private:
  explicit Module(CK_FUNCTION_LIST* functions) : functions_(functions) {}
  CK_RV Initialise();

  CK_FUNCTION_LIST* const functions_;
  mutable std::shared_mutex running_;
  std::uint64_t run_ = 1;     // guarded by running_
  bool initialised_ = false;  // guarded by running_
};

// "CKR_PIN_INCORRECT", or the number of a value without a well-known name.
std::string NameOf(CK_RV value);

}  // namespace symbolon::keys::pkcs11
