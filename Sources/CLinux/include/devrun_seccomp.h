#ifndef DEVRUN_SECCOMP_H
#define DEVRUN_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/filter.h>

// Seccomp's constants are macros with casts, its calls ioctls, and its structures grow with the kernel; call numbers
// differ between architectures. All of that stays behind these few entries.

enum {
  /// Room enough for any filter made here, in instructions.
  DEVRUN_FILTER_MAX = 96,
};

/// What a filter traps besides `connect`.
enum devrun_traps {
  /// `open`, `openat` and `openat2`.
  DEVRUN_TRAP_OPEN = 1,
  /// `listen`.
  DEVRUN_TRAP_LISTEN = 2,
  /// `bind` to an address that is long enough for IPv4's.
  DEVRUN_TRAP_BIND = 4,
};

/// Writes the filter that traps `connect` to `out`, which has room for DEVRUN_FILTER_MAX instructions.
///
/// `connect` is notified, also by 32-bit code on a 64-bit machine; `io_uring_setup` fails with ENOSYS and a send with
/// MSG_FASTOPEN with EOPNOTSUPP, which are the two ways around it. The calls of `traps`, of `enum devrun_traps`, are
/// notified too.
///
/// Returns the number of instructions.
size_t devrun_filter(struct sock_filter *out, unsigned traps);

/// Flags of a filter.
enum devrun_filter_flags {
  /// Spectre mitigations are not forced upon the filtered process (Linux 4.17).
  DEVRUN_FILTER_SPECULATION = 2,
};

/// Installs a filter in this thread. Async-signal-safe. A signal interrupts a caller that waits for an answer, as it
/// interrupts who waits in the kernel; the kernel may repeat the call then, which is another notification.
/// Returns the listener's descriptor.
int devrun_install_filter(const struct sock_filter *filter, size_t count, unsigned flags);

/// What a trapped call asks for.
enum devrun_call {
  /// `connect(arguments[0], arguments[1], arguments[2])`
  DEVRUN_CALL_CONNECT,
  /// i386's `socketcall(SYS_CONNECT, arguments[1])`: the three arguments are 32-bit words at arguments[1].
  DEVRUN_CALL_SOCKETCALL_CONNECT,
  /// `listen(arguments[0], arguments[1])`
  DEVRUN_CALL_LISTEN,
  /// i386's `socketcall(SYS_LISTEN, arguments[1])`: the two arguments are 32-bit words at arguments[1].
  DEVRUN_CALL_SOCKETCALL_LISTEN,
  /// `bind(arguments[0], arguments[1], arguments[2])`
  DEVRUN_CALL_BIND,
  /// i386's `socketcall(SYS_BIND, arguments[1])`: the three arguments are 32-bit words at arguments[1].
  DEVRUN_CALL_SOCKETCALL_BIND,
  /// Opens the path at arguments[1] with the flags arguments[2], relative to arguments[0].
  DEVRUN_CALL_OPEN,
  /// As above, but arguments[2] is the address of an `open_how`, whose first 64-bit word are the flags.
  DEVRUN_CALL_OPEN_HOW,
  /// None of these.
  DEVRUN_CALL_OTHER,
};

/// A trapped call.
struct devrun_notification {
  /// The cookie by which it is answered.
  uint64_t id;
  /// The calling thread, as this process's PID namespace numbers it; 0 if it cannot be seen from here.
  pid_t thread;
  /// What the call asks for.
  enum devrun_call call;
  /// The call's arguments, brought into the order that `call` promises.
  uint64_t arguments[6];
};

/// Waits for the next trapped call. -ENOENT when a caller vanished meanwhile, or nobody is left who could call.
int devrun_receive_notification(int listener, struct devrun_notification *out);
/// Whether the caller still waits for an answer: what was read of it before is only then known to be its own.
bool devrun_notification_is_valid(int listener, uint64_t id);
/// Lets the kernel carry out the call as if it had not been trapped. -ENOENT when the caller waits no longer.
int devrun_answer_continue(int listener, uint64_t id);
/// Answers with a value, or with an error if that is not 0. -ENOENT when the caller waits no longer.
int devrun_answer(int listener, uint64_t id, int64_t value, int error);
/// Answers with a copy of a descriptor, which the caller gets as the call's result (in one step on Linux 5.14, else
/// in two; `in_one_step` says whether to try).
int devrun_answer_descriptor(int listener, uint64_t id, int descriptor, bool close_on_exec, bool in_one_step);
/// Puts a copy of a descriptor in the place of one of the caller's, which is closed by that. Does not answer.
/// -ENOENT when the caller waits no longer.
int devrun_place_descriptor(int listener, uint64_t id, int descriptor, int number, bool close_on_exec);
/// Makes the caller and whoever receives its notification take turns on one CPU (Linux 6.6; -EINVAL before).
int devrun_take_turns(int listener);

#endif
