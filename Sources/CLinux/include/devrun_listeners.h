#ifndef DEVRUN_LISTENERS_H
#define DEVRUN_LISTENERS_H

#include <stddef.h>
#include <stdint.h>

// Netlink's structures and macros are not in Swift's Glibc module.

/// A TCP socket that listens.
struct devrun_listener {
  /// Its port.
  uint16_t port;
  /// How many bytes of `address` count: 4 or 16.
  uint8_t address_size;
  /// The address that it is bound to, in network order.
  uint8_t address[16];
  /// Its number in the kernel's file system of sockets.
  uint32_t inode;
};

/// Calls `found` for each TCP socket that listens in this network namespace (sock_diag(7)).
int devrun_list_listeners(void (*found)(void *context, const struct devrun_listener *listener), void *context);

#endif
