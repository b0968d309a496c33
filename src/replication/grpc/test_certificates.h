// Certificates for tests, made by the openssl program: authorities, and what they sign for Regions. To be made before
// gRPC has threads: a program that is started beside them now and then hangs.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/temporary_directory.h"

namespace symbolon::replication::grpc_link {

class TestAuthority {
 public:
  struct Issued {
    std::string certificate_pem;
    std::string key_pem;
  };

  TestAuthority() {
    Run(fmt::format(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout {0}/ca.key "
        "-out {0}/ca.pem",
        folder()));
    ca_pem_ = Read("ca.pem");
    for (const char* name : {"eu-central-1", "us-east-1", "ap-south-1"}) issued_[name] = Issue(name);
  }

  const std::string& ca_pem() const { return ca_pem_; }
  // The Region's certificate: its only DNS name is the Region's.
  const Issued& Of(const std::string& region) const { return issued_.at(region); }

 private:
  Issued Issue(const std::string& name) {
    std::ofstream(folder_.path() / "extensions")
        << "subjectAltName=DNS:" << name << "\nextendedKeyUsage=serverAuth,clientAuth\n";
    Run(fmt::format(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={1} -keyout {0}/key -out {0}/request",
        folder(), name));
    Run(
        fmt::format("x509 -req -days 2 -in {0}/request -CA {0}/ca.pem -CAkey {0}/ca.key -set_serial 0x{1:x} -extfile "
                    "{0}/extensions "
                    "-out {0}/certificate",
                    folder(), ++serial_));
    return {Read("certificate"), Read("key")};
  }

  std::string folder() const { return folder_.path().string(); }
  static void Run(const std::string& arguments) {
    ASSERT_EQ(std::system(("openssl " + arguments + " </dev/null >/dev/null 2>/dev/null").c_str()), 0) << arguments;
  }
  std::string Read(const char* name) const {
    std::ifstream file(folder_.path() / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TemporaryDirectory folder_;
  std::string ca_pem_;
  std::map<std::string, Issued> issued_;
  int serial_ = 1;
};

}  // namespace symbolon::replication::grpc_link
