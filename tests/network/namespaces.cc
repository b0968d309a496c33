#include "namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

namespace symbolon::delay_link {
namespace {

constexpr const char* kCongestionControl = "/proc/sys/net/ipv4/tcp_congestion_control";
constexpr std::uint32_t kNetmask = 0xffffff00;

template <typename T>
T Checked(T result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

ifreq RequestFor(const std::string& device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
  return request;
}

sockaddr AddressOf(std::uint32_t address) {
  sockaddr_in wanted{};
  wanted.sin_family = AF_INET;
  wanted.sin_addr.s_addr = address;
  sockaddr plain{};
  std::memcpy(&plain, &wanted, sizeof plain);
  return plain;
}

Descriptor ControlSocket() { return Descriptor(Checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")); }

void BringUp(const Descriptor& control, const std::string& device) {
  ifreq request = RequestFor(device);
  Checked(ioctl(control.get(), SIOCGIFFLAGS, &request), "read the flags of " + device);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  Checked(ioctl(control.get(), SIOCSIFFLAGS, &request), "bring up " + device);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor CurrentNamespace() {
  return Descriptor(Checked(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open the network namespace"));
}

void EnterNamespace(const Descriptor& name_space) {
  Checked(setns(name_space.get(), CLONE_NEWNET), "enter a network namespace");
}

Descriptor MakeNamespace() {
  Checked(unshare(CLONE_NEWNET), "make a network namespace");
  return CurrentNamespace();
}

void BringLoopbackUp() { BringUp(ControlSocket(), "lo"); }

Descriptor MakeTun(std::uint32_t address) {
  Descriptor tun(Checked(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "open /dev/net/tun"));
  ifreq request = RequestFor("wan%d");  // the kernel puts in the first number that is free
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  Checked(ioctl(tun.get(), TUNSETIFF, &request), "make a TUN device");
  const std::string device = request.ifr_name;

  const Descriptor control = ControlSocket();
  request = RequestFor(device);
  request.ifr_addr = AddressOf(address);
  Checked(ioctl(control.get(), SIOCSIFADDR, &request), "give an address to " + device);
  request.ifr_netmask = AddressOf(htonl(kNetmask));
  Checked(ioctl(control.get(), SIOCSIFNETMASK, &request), "give a network to " + device);
  BringUp(control, device);
  return tun;
}

void SetCongestionControl(const std::string& name) {
  std::ofstream file(kCongestionControl);
  file << name << std::flush;
  if (!file) throw std::system_error(errno, std::generic_category(), "this kernel has no congestion control " + name);
}

std::string CongestionControl() {
  std::ifstream file(kCongestionControl);
  std::string name;
  file >> name;
  return name;
}

}  // namespace symbolon::delay_link
