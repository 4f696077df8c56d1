// devrun-exec RECORD REPORT: performs the privileged part of the launch (CAP_SYS_ADMIN), which an unprivileged devrun
// cannot.
//
// Installed on request with that capability (and CAP_SYS_CHROOT, for volumes below `/`) as file capabilities, it spares the
// command the user namespace: root's files look like root's, groups stay, processes outside can be traced. Anybody can
// start it, with any record. So whatever the record says:
//
//   must be      a mount namespace of its own, detached from the machine's, before anything is mounted; no capability and no
//                way to gain one (PR_SET_NO_NEW_PRIVS) before anything of the user's choice is executed
//   must not be  a look at anything that the user may not see: paths are walked with the user's own rights, since no
//                capability overrides the permissions of files; an undoing of mounts, which may cover what others hid
//
// With both, what a command can do in a private view of files with its user's rights is what it can do in a user namespace:
// it can deceive itself, and nobody else. The process that follows directories (follow.c) keeps the capability in that view,
// and takes nothing from the user but names in a directory. A setuid program would be deceived with its owner's rights; it does not get them.

#define _GNU_SOURCE
#include <devrun_launch.h>
#include <devrun_record.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool read_descriptor(const char *text, int *out) {
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  *out = (int)number;
  return errno == 0 && *text != 0 && *end == 0 && number >= 0 && fcntl(*out, F_GETFD) >= 0;
}

int main(int count, char **arguments) {
  int record, report;
  if (count != 3 || !read_descriptor(arguments[1], &record) || !read_descriptor(arguments[2], &report)) {
    fputs("devrun-exec: this is a part of devrun, which starts it itself\n", stderr);
    return 125;
  }
  struct devrun_launch launch;
  struct devrun_launch_failure failure = {.stage = DEVRUN_STAGE_HELPER};
  int result = devrun_read_record(record, &launch);
  close(record);
  // The program is to inherit neither.
  if (result == 0 && fcntl(report, F_SETFD, FD_CLOEXEC)) result = -errno;
  if (result == 0 && launch.filter != NULL && fcntl(launch.listener_socket, F_SETFD, FD_CLOEXEC)) result = -errno;
  if (result < 0) {
    failure.error = -result;
    devrun_fail(report, &failure);
  }
  launch.isolation = DEVRUN_ISOLATION_MOUNT;
  launch.report = report;
  launch.no_capabilities = true;
  launch.no_new_privileges = true;
  devrun_go_on(&launch);
}
