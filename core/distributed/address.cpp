#include "core/distributed/address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// An address as text; "" if there is none.
std::string text_of(const sockaddr* address, socklen_t length) {
  char out[NI_MAXHOST];
  return getnameinfo(address, length, out, sizeof out, nullptr, 0,
                     NI_NUMERICHOST) == 0
             ? out
             : "";
}

bool only_here(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address == "::1";
}

/// The address by which this host reaches another; "" if it does not.
std::string address_towards(const std::string& host, int port) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_DGRAM;
  require(getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted,
                      &found) == 0,
          "the host '{}' of MASTER_ADDR is not known here", host);
  std::string out;
  for (const addrinfo* a = found; a != nullptr && out.empty(); a = a->ai_next) {
    const int s = socket(a->ai_family, SOCK_DGRAM, 0);
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    auto* const address = reinterpret_cast<sockaddr*>(&own);
    if (s >= 0 && connect(s, a->ai_addr, a->ai_addrlen) == 0 &&
        getsockname(s, address, &length) == 0) {
      out = text_of(address, length);
    }
    if (s >= 0) close(s);
  }
  freeaddrinfo(found);
  return out;
}

/// An address of this host that others may reach; "" if it has none.
std::string any_address() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "";
  std::string out;
  for (const ifaddrs* a = all; a != nullptr && out.empty(); a = a->ifa_next) {
    const bool usable =
        a->ifa_addr != nullptr && a->ifa_addr->sa_family == AF_INET &&
        (a->ifa_flags & IFF_UP) != 0 && (a->ifa_flags & IFF_LOOPBACK) == 0;
    if (usable) out = text_of(a->ifa_addr, sizeof(sockaddr_in));
  }
  freeifaddrs(all);
  return out;
}

}  // namespace

std::string own_address(const RankPlace& place) {
  std::string out = address_towards(place.address, place.port);
  const bool one_host = place.local_size == place.size;
  // Many hosts map their own name to the loopback address. Who is led there by
  // the name of rank 0's host is on that host.
  if (!one_host && only_here(out)) out = any_address();
  require(!out.empty(), "the host '{}' of MASTER_ADDR cannot be reached",
          place.address);
  require(one_host || !only_here(out),
          "this host has no address that other hosts can reach; name an "
          "\"interface\" in \"distributed\"");
  return out;
}

}  // namespace nestgrad
