#ifndef DEVRUN_DESCRIPTORS_H
#define DEVRUN_DESCRIPTORS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Not in Swift's Glibc module.

/// Signals as they are read from a signalfd.
struct devrun_signal {
  /// The signal's number.
  int number;
  /// Where it comes from: SI_USER, SI_KERNEL, ...
  int code;
  /// The process that sent it, 0 if none did or it cannot be seen from here.
  pid_t sender;
};

/// Opens a close-on-exec descriptor that the signals of the set, which must be blocked, are read from.
int devrun_signal_descriptor(const sigset_t *signals);
/// Reads one pending signal. 1: there was one; 0: there is none. Does not wait.
int devrun_read_signal(int descriptor, struct devrun_signal *out);

/// Makes a pipe with both ends close-on-exec: `ends[0]` is read from, `ends[1]` written to.
int devrun_pipe(int ends[2]);

/// Makes `number` a close-on-exec duplicate of the descriptor.
int devrun_replace(int descriptor, int number);

/// Closes the descriptors from first to last, both included.
int devrun_close_range(unsigned first, unsigned last);

/// Opens a pidfd of the process, or of the thread where `thread` is set (Linux 6.9; -EINVAL before).
int devrun_pidfd_open(pid_t pid, bool thread);
/// Duplicates a descriptor of another process, with close-on-exec.
int devrun_pidfd_getfd(int pidfd, int target);
/// Reads the memory of another process. The number of bytes, fewer than asked where the readable memory ends.
ssize_t devrun_read_memory(pid_t pid, uint64_t address, void *buffer, size_t count);

// The CMSG macros are not imported.

/// Receives one descriptor over a Unix socket, with close-on-exec. -EPIPE when the other end has closed without
/// having sent one.
int devrun_receive_descriptor(int socket);

// ioctl and fcntl are variadic; SO_* and TCP_* constants of newer kernels are missing in older headers.

/// A cookie of the network namespace that a socket belongs to (Linux 5.14; -ENOPROTOOPT before).
int devrun_network_namespace(int socket, uint64_t *cookie);
/// The state of a TCP connection as in `tcp_info` (TCP_ESTABLISHED is 1, TCP_CLOSE is 7).
int devrun_tcp_state(int socket);
/// Puts off "fast open by connect" (TCP_FASTOPEN_CONNECT), so that connect connects.
int devrun_disable_fast_open(int socket);

#endif
