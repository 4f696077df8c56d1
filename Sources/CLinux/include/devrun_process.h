#ifndef DEVRUN_PROCESS_H
#define DEVRUN_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// prctl is variadic.

/// Makes this process the one that orphans of its descendants are given to.
int devrun_become_subreaper(void);
/// Sets this thread's name as ps and top show it; what is beyond 15 bytes is cut.
int devrun_set_thread_name(const char *name);
/// Lets ps show this process's command line as the name. A name that is longer than what it takes the place of is cut.
///
/// `keeps_command`: then the words that follow the first "--", if there is one.
int devrun_set_command_line(const char *name, bool keeps_command);
/// Prevents a core dump of this process, also by a pattern that pipes it to a program.
int devrun_forbid_core_dump(void);

// pidfd_send_signal has no wrapper in older glibcs.

/// Sends a signal to a pidfd's process. -ESRCH: it has ended.
int devrun_signal_process(int pidfd, int signal);

/// Lets variables of systemd's that name one process by its number (`LISTEN_PID`, `WATCHDOG_PID`, `SYSTEMD_EXEC_PID`) name
/// this process, where they name the `former` one: programs compare them with their own number (sd_listen_fds(3),
/// sd_watchdog_enabled(3), systemd.exec(5)). Async-signal-safe; once per process.
///
/// The list is changed, its strings are not.
void devrun_take_place(char *const *environment, pid_t former);

// capget has no wrapper in glibc.

/// Whether this thread has CAP_SYS_ADMIN in effect.
bool devrun_has_sys_admin(void);
/// Gives up all capabilities of this thread for good. Async-signal-safe.
int devrun_give_up_capabilities(void);

// The calls for extended attributes are in a header that Swift's Glibc module does not have.

/// Reads an extended attribute of what a path leads to, symbolic links followed.
/// Returns the number of bytes; -ENODATA where there is no such attribute, -ENOTSUP where there can be none.
ssize_t devrun_get_attribute(const char *path, const char *name, void *buffer, size_t count);

// The W* macros are not imported, and siginfo_t's fields are in a union that Swift sees under internal names.

/// What became of a child.
enum devrun_child_change { DEVRUN_CHILD_EXITED, DEVRUN_CHILD_KILLED, DEVRUN_CHILD_STOPPED, DEVRUN_CHILD_CONTINUED };

/// One change of a child's state.
struct devrun_child_event {
  enum devrun_child_change change;
  /// The exit status (all 32 bits of it are kept by waitid, of which the low 8 count) or the signal.
  int value;
  /// Whether a death left a core dump.
  bool core_dumped;
};

/// Waits until the child's state changes. A child that has ended is not reaped by this: `devrun_reap` does that.
int devrun_await_child(pid_t child, struct devrun_child_event *event);
/// Reaps a child. 1: it had ended and is gone now; 0: it has not ended.
int devrun_reap(pid_t child);

// sigaction's handler is a union with macros for names, and sa_handler constants are casts.

/// Whether the signal is ignored.
bool devrun_is_ignored(int signal);
/// Ignores the signal.
int devrun_ignore(int signal);
/// Gives the signal its default effect.
int devrun_set_default(int signal);

// A Swift closure is no signal handler: what it calls may allocate or lock.

/// From now on each signal of the set is written as one byte, its number, to the descriptor, which must not block. Once
/// per process.
int devrun_catch(const sigset_t *signals, int descriptor);

#endif
