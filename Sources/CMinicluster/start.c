#define _GNU_SOURCE
#include "CMinicluster.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

// Theory of operation.
//
// The caller is one thread of many, so nothing here may allocate or lock. A first child joins and makes the namespaces.
// A process cannot move to another process namespace itself: only its children are in it. So the first child makes the
// second with the caller as its parent (CLONE_PARENT), and ends. The second is the program's: the namespaces' first
// process, if there is a new process namespace, so all others in it die with it.

static void send(int report, enum minicluster_stage stage, int error, int value) {
  struct minicluster_report record = {.stage = stage, .error = error, .value = value};
  // A pipe takes so little in one piece or not at all; without a reader nobody needs it.
  ssize_t written = write(report, &record, sizeof record);
  if (written != (ssize_t)sizeof record) _exit(124);
}

static _Noreturn void fail(int report, enum minicluster_stage stage, int error, int value) {
  send(report, stage, error, value);
  _exit(125);
}

/// The number that a link of /proc consists of.
static int read_number(int folder, const char *name) {
  char text[16];
  ssize_t count = readlinkat(folder, name, text, sizeof text);
  if (count < 0) return -errno;
  int number = 0;
  for (ssize_t i = 0; i < count; i++) {
    if (text[i] < '0' || text[i] > '9') return -EINVAL;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

// What Docker and containerd leave to root.
static const int kept_capabilities[] = {
  CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER, CAP_MKNOD, CAP_NET_RAW, CAP_SETGID, CAP_SETUID, CAP_SETFCAP,
  CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL, CAP_AUDIT_WRITE,
};

static int drop_capabilities(void) {
  for (int capability = 0; capability < 64; capability++) {
    bool kept = false;
    for (size_t i = 0; i < sizeof kept_capabilities / sizeof kept_capabilities[0]; i++)
      kept = kept || kept_capabilities[i] == capability;
    // EINVAL: beyond the kernel's last one.
    if (!kept && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)) return errno == EINVAL ? 0 : -errno;
  }
  return 0;
}

/// Arranges the standard descriptors and closes all others but the report, whose new number is returned.
static int arrange_descriptors(const struct minicluster_launch *launch) {
  int standard[] = {launch->input, launch->output, launch->error, launch->report};
  // Above all numbers that are to be taken, so that none is overwritten before it is used.
  for (int i = 0; i < 4; i++)
    if ((standard[i] = fcntl(standard[i], F_DUPFD_CLOEXEC, 10)) < 0) return -errno;
  for (int i = 0; i < 3; i++)
    if (dup2(standard[i], i) < 0) return -errno;
  int report = dup3(standard[3], 3, O_CLOEXEC);
  if (report < 0) return -errno;
  return syscall(SYS_close_range, 4, ~0U, 0) ? -errno : report;
}

static void restore_signals(void) {
  // glibc keeps two numbers for itself and refuses them: nobody can have set them.
  for (int signal = 1; signal < NSIG; signal++) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/// What prevents a file from being executed.
static int obstacle(const char *path) {
  struct stat status;
  if (stat(path, &status)) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? errno : 0;
}

static void complain(const char *path, const char *words) {
  const char *parts[] = {"exec ", path, ": ", words, "\n"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (write(2, parts[i], strlen(parts[i])) < 0) return;
}

static _Noreturn void execute(const struct minicluster_launch *launch, int report) {
  int found = ENOENT;
  for (const char *const *candidate = launch->candidates; *candidate != NULL; candidate++) {
    int error = obstacle(*candidate);
    if (error != 0) {
      if (found == ENOENT) found = error;
      continue;
    }
    execve(*candidate, launch->arguments, launch->environment);
    // A container runtime sees this only after the container counts as started: the container's log has it.
    complain(*candidate, errno == ENOEXEC ? "exec format error"
                       : errno == ENOENT ? "no such file or directory"
                       : errno == E2BIG ? "argument list too long" : "permission denied");
    _exit(255);
  }
  fail(report, MINICLUSTER_STAGE_PROGRAM, found, 0);
}

/// The way of the program's process.
static _Noreturn void go(struct minicluster_launch *launch, int machine) {
  // /proc shows the process under the number that it has in the process namespace of that file system.
  int outside = read_number(machine, "self");
  if (outside < 0) fail(launch->report, MINICLUSTER_STAGE_FORK, -outside, 0);
  send(launch->report, MINICLUSTER_SEEN_FROM_OUTSIDE, 0, outside);
  if (launch->new_session) setsid();
  if (launch->host_name != NULL && sethostname(launch->host_name, strlen(launch->host_name)))
    fail(launch->report, MINICLUSTER_STAGE_HOST_NAME, errno, 0);
  struct minicluster_report report = {0};
  if (launch->own_files) {
    int result = minicluster_show_files(launch, &report);
    if (result < 0) fail(launch->report, report.stage, -result, report.value);
  }
  if (launch->working_directory != NULL) {
    int folder = launch->own_files ? minicluster_make_place(launch->working_directory, true)
                                   : open(launch->working_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) fail(launch->report, MINICLUSTER_STAGE_WORKING_DIRECTORY, launch->own_files ? -folder : errno, 0);
    if (fchdir(folder)) fail(launch->report, MINICLUSTER_STAGE_WORKING_DIRECTORY, errno, 0);
  }
  int result = launch->fewer_capabilities ? drop_capabilities() : 0;
  if (result < 0) fail(launch->report, MINICLUSTER_STAGE_CAPABILITIES, -result, 0);
  int kept = arrange_descriptors(launch);
  if (kept < 0) fail(launch->report, MINICLUSTER_STAGE_DESCRIPTORS, -kept, 0);
  restore_signals();
  execute(launch, kept);
}

static int flags(enum minicluster_namespaces namespaces) {
  switch (namespaces) {
  case MINICLUSTER_NO_NAMESPACES: return 0;
  case MINICLUSTER_NAMESPACES_OF_POD: return CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
  case MINICLUSTER_NAMESPACES_OF_CONTAINER: return CLONE_NEWNS | CLONE_NEWPID;
  }
  return 0;
}

pid_t minicluster_start(struct minicluster_launch *launch) {
  pid_t first = fork();
  if (first != 0) return first < 0 ? -errno : first;
  int machine = minicluster_machine_processes();
  if (machine < 0) fail(launch->report, MINICLUSTER_STAGE_NAMESPACE, errno, 0);
  for (size_t i = 0; i < launch->joined_count; i++)
    if (setns(launch->joined[i], 0)) fail(launch->report, MINICLUSTER_STAGE_NAMESPACE, errno, (int)i);
  int made = flags(launch->made);
  if (made != 0 && unshare(made)) fail(launch->report, MINICLUSTER_STAGE_NAMESPACE, errno, 0);
  long second = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), NULL, NULL, NULL, NULL);
  if (second < 0) fail(launch->report, MINICLUSTER_STAGE_FORK, errno, 0);
  if (second == 0) go(launch, machine);
  send(launch->report, MINICLUSTER_STARTED, 0, (int)second);
  _exit(0);
}
