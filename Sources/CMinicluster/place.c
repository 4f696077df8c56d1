#define _GNU_SOURCE
#include "CMinicluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Theory of operation.
//
// Three processes: the outer one stays in the machine's namespaces, so that it can run the user's command there. The
// init is the first in the new process namespace and does nothing but reap: the node, a Swift program of many threads,
// must not reap what is not its own. If any of the three is killed, the kernel kills all that is below it: the init has
// asked for that (PR_SET_PDEATHSIG), and all else is in its process namespace. Mounts and interfaces go with the
// namespaces.

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  int result = write(file, text, strlen(text)) < 0 ? -errno : 0;
  close(file);
  return result;
}

/// "0 ID 1": the outer id is root inside.
static void write_map(char text[32], unsigned id) {
  char digits[10];
  int count = 0, end = 0;
  do digits[count++] = (char)('0' + id % 10);
  while ((id /= 10) > 0);
  text[end++] = '0';
  text[end++] = ' ';
  while (count > 0) text[end++] = digits[--count];
  text[end++] = ' ';
  text[end++] = '1';
  text[end] = 0;
}

static int map_ids(unsigned user, unsigned group, enum minicluster_place_stage *stage) {
  char user_map[32], group_map[32];
  write_map(user_map, user);
  write_map(group_map, group);
  int result;
  *stage = MINICLUSTER_PLACE_SETGROUPS;
  if ((result = write_file("/proc/self/setgroups", "deny")) < 0) return result;
  *stage = MINICLUSTER_PLACE_USER_MAP;
  if ((result = write_file("/proc/self/uid_map", user_map)) < 0) return result;
  *stage = MINICLUSTER_PLACE_GROUP_MAP;
  return write_file("/proc/self/gid_map", group_map);
}

/// Asks to be killed with the parent, which may have died already.
static int die_with(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) return -errno;
  struct pollfd ended = {.fd = parent, .events = POLLIN};
  int count = poll(&ended, 1, 0);
  if (count < 0) return -errno;
  return count == 0 ? 0 : -ESRCH;
}

static _Noreturn void reap_until(pid_t node) {
  syscall(SYS_close_range, 3, ~0U, 0);
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    int signal = sigwaitinfo(&all, NULL);
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) kill(node, signal);
    if (signal != SIGCHLD) continue;
    int status;
    pid_t child;
    while ((child = waitpid(-1, &status, WNOHANG)) > 0)
      if (child == node) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

/// The machine's /proc, which shows processes under the machine's numbers.
static int machine_processes = -1;

int minicluster_machine_processes(void) {
  return machine_processes >= 0 ? dup(machine_processes) : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/// Shows the processes of the new namespace at /proc: what looks itself up there, as libdispatch does with its threads,
/// must not find a process of the machine.
static int show_own_processes(void) {
  machine_processes = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (machine_processes < 0) return -errno;
  return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ? -errno : 0;
}

/// What the init does. Returns only as the node, or if it fails.
static int be_init(int parent, bool user, uid_t uid, gid_t gid, const sigset_t *mask, enum minicluster_place_stage *stage) {
  int result;
  if (user && (result = map_ids(uid, gid, stage)) < 0) return result;
  *stage = MINICLUSTER_PLACE_PARENT;
  // After the user's change, which undoes it.
  if ((result = die_with(parent)) < 0) return result;
  // The terminal's signals are for the outer process.
  setsid();
  // Slave, not private: what is mounted on the machine later is to appear here as well.
  *stage = MINICLUSTER_PLACE_PROPAGATION;
  if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL)) return -errno;
  *stage = MINICLUSTER_PLACE_PROCESSES;
  if ((result = show_own_processes()) < 0) return result;
  *stage = MINICLUSTER_PLACE_NODE;
  pid_t node = fork();
  if (node < 0) return -errno;
  if (node > 0) reap_until(node);
  return sigprocmask(SIG_SETMASK, mask, NULL) ? -errno : 0;
}

pid_t minicluster_enter_place(bool user, int report) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  int self = minicluster_pidfd_open(getpid());
  if (self < 0) return self;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  unsigned long flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  if (user) flags |= CLONE_NEWUSER;
  long init = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
  if (init != 0) {
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(self);
    return init < 0 ? -error : (pid_t)init;
  }
  struct minicluster_place_failure failure = {0};
  int result = be_init(self, user, uid, gid, &before, &failure.stage);
  close(self);
  if (result == 0) return 0;
  failure.error = -result;
  // Without a reader nobody needs it.
  ssize_t written = write(report, &failure, sizeof failure);
  _exit(written == (ssize_t)sizeof failure ? 125 : 124);
}

pid_t minicluster_fork(void) {
  pid_t child = fork();
  return child < 0 ? -errno : child;
}

int minicluster_pidfd_open(pid_t process) {
  long descriptor = syscall(SYS_pidfd_open, process, 0);
  return descriptor < 0 ? -errno : (int)descriptor;
}

int minicluster_pidfd_send_signal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) ? -errno : 0;
}

int minicluster_join_network(int descriptor) { return setns(descriptor, CLONE_NEWNET) ? -errno : 0; }
