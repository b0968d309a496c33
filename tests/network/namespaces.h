// Network namespaces (network_namespaces(7)) with a TUN device each; Linux, for root.
// Functions throw std::system_error when the kernel refuses. For a process of one thread.
#pragma once

#include <cstdint>
#include <string>

namespace symbolon::delay_link {

// A file descriptor, closed with it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// The namespace that this process is in.
Descriptor CurrentNamespace();
void EnterNamespace(const Descriptor& name_space);
// Makes one and enters it. It lives as long as a process is in it or holds its descriptor.
Descriptor MakeNamespace();

// In the current namespace: brings the loopback device up.
void BringLoopbackUp();
// In the current namespace: a device (wan0) whose packets (IPv4, without further headers) are read from and written to
// the descriptor, which does not block. `address` is the device's, in network byte order, and its network has 24 bits.
Descriptor MakeTun(std::uint32_t address);
// In the current namespace: the congestion control of connections made from now on ("bbr", "cubic").
void SetCongestionControl(const std::string& name);
std::string CongestionControl();

}  // namespace symbolon::delay_link
