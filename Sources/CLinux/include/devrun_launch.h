#ifndef DEVRUN_LAUNCH_H
#define DEVRUN_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <linux/filter.h>

#include "devrun_mounts.h"

// Between fork and exec in a process of many threads nothing may allocate, lock or wait for another thread. Swift's
// runtime promises none of this, so the way from fork to exec is one C function.

/// How the child gets its own view of files.
enum devrun_isolation {
  /// It gets none.
  DEVRUN_ISOLATION_NONE,
  /// A mount namespace, which takes CAP_SYS_ADMIN.
  DEVRUN_ISOLATION_MOUNT,
  /// A mount namespace in a new user namespace, in which only the own user and group exist.
  DEVRUN_ISOLATION_USER,
};

/// The stages between fork and exec, in their order.
enum devrun_stage {
  DEVRUN_STAGE_PROCESS_GROUP = 1,
  DEVRUN_STAGE_HELPER,
  DEVRUN_STAGE_USER_NAMESPACE,
  DEVRUN_STAGE_SETGROUPS,
  DEVRUN_STAGE_USER_MAP,
  DEVRUN_STAGE_GROUP_MAP,
  DEVRUN_STAGE_MOUNT_NAMESPACE,
  DEVRUN_STAGE_PROPAGATION,
  DEVRUN_STAGE_MOUNT,
  DEVRUN_STAGE_WORKING_DIRECTORY,
  DEVRUN_STAGE_NO_NEW_PRIVILEGES,
  DEVRUN_STAGE_FILTER,
  DEVRUN_STAGE_LISTENER,
  DEVRUN_STAGE_LIMITS,
  DEVRUN_STAGE_DESCRIPTORS,
  DEVRUN_STAGE_EXEC,
  DEVRUN_STAGE_CONNECT,
};

/// Where a launch without a program connects to at its end, to see whether connections are redirected: in the machine's own
/// network 127.0.0.0/8, at a port that nothing listens on (tcpmux, RFC 1078).
#define DEVRUN_TRIAL_ADDRESS 0x7ffffffeU
#define DEVRUN_TRIAL_PORT 1

/// What comes back of a launch that failed.
struct devrun_launch_failure {
  enum devrun_stage stage;
  /// The errno.
  int error;
  /// The mount step, where `stage` is DEVRUN_STAGE_MOUNT.
  size_t step;
};

/// All that the way from fork to exec needs, made ready beforehand.
struct devrun_launch {
  /// What to execute; NULL: go the whole way, connect once where there is a filter, then exit with 0 instead.
  const char *path;
  char *const *arguments;
  char *const *environment;
  /// The arguments with which /bin/sh runs the file if it is a script without an interpreter line.
  char *const *shell_arguments;
  /// The process in whose place the program runs, for variables that name it by its number.
  pid_t front;
  /// The process group to join; 0: stay in the caller's.
  pid_t process_group;
  enum devrun_isolation isolation;
  /// Path of the helper (`devrun-exec`) that performs all steps from the namespaces on, with CAP_SYS_ADMIN as a file
  /// capability. NULL: this process performs them.
  const char *helper;
  const struct devrun_mount_step *steps;
  size_t step_count;
  /// Where to be after the mounts, if it is the same directory that the process was in before.
  const char *working_directory;
  /// The seccomp filter; NULL: none.
  const struct sock_filter *filter;
  size_t filter_count;
  unsigned filter_flags;
  /// Whether to give up gaining privileges by exec (PR_SET_NO_NEW_PRIVS), which a filter takes without CAP_SYS_ADMIN.
  bool no_new_privileges;
  /// Whether to give up all capabilities once the mounts are made.
  bool no_capabilities;
  /// The Unix socket that the filter's listener is sent over.
  int listener_socket;
  /// The read end of a pipe that holds the child up shortly before exec, with signals still blocked, until there is
  /// something to be read, or no writer any more; -1: nothing holds it up.
  int gate;
  /// The write end, of which the child closes its copy; -1: there is none.
  int gate_writer;
  /// The write end of the pipe that a failure is told over; closed by exec.
  int report;
  /// The descriptors that stay open, in rising order; `report` is among them.
  const int *descriptors;
  size_t descriptor_count;
  /// The signals to ignore; all others get their default effect.
  sigset_t ignored;
  /// The signals to block.
  sigset_t mask;
  /// The limit of open files.
  struct rlimit descriptor_limit;
};

/// Forks and goes the way. Returns the child's process id; what goes wrong in the child is told over `report`.
pid_t devrun_fork_and_launch(const struct devrun_launch *launch);

/// Goes the way from the namespaces on in this process: what the helper does. Returns only by exec; what goes wrong is told
/// over `report`.
_Noreturn void devrun_go_on(const struct devrun_launch *launch);

/// Tells a failure over the pipe and ends this process.
_Noreturn void devrun_fail(int report, const struct devrun_launch_failure *failure);

#endif
