#define _GNU_SOURCE
#include "devrun_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devrun_descriptors.h"
#include "devrun_process.h"
#include "devrun_record.h"
#include "devrun_seccomp.h"

// Theory of operation.
//
// The caller is one thread of many, with all signals blocked. After fork this process has that thread only; any lock of
// another thread may be held for ever, so nothing below calls what is not async-signal-safe (signal-safety(7)), and all
// memory is on the stack or was made ready before. The order of the stages is not free:
//
//   group        first, so that the terminal's signals find the child as soon as it exists for others
//   helper       before the namespaces, if it is another program that may make them: it goes on from there
//   namespaces   before the mounts, which take the capabilities that the user namespace gives
//   mounts       before the filter: with it, each call costs
//   directory    after the mounts: the directory may be seen through another mount now
//   filter       before the capabilities go with exec, else it would take PR_SET_NO_NEW_PRIVS
//   gate         after all that can fail but exec, before signals take effect: see below
//   descriptors  after the listener was sent
//   signals      last: a signal that came meanwhile takes effect now, as if the program had received it at its start

static int by_helper(const struct devrun_launch *launch, int record);
static int to_private_view(const struct devrun_launch *launch, enum devrun_stage *stage, size_t *step);
static int to_program(const struct devrun_launch *launch, enum devrun_stage *stage);
static void await_gate(int gate);
static int to_namespaces(const struct devrun_launch *launch, enum devrun_stage *stage);
static bool is_here(const char *path);
static int send_descriptor(int socket, int descriptor);
static int install_filter(const struct devrun_launch *launch, enum devrun_stage *stage);
static int close_descriptors(const struct devrun_launch *launch);
static void restore_signals(const struct devrun_launch *launch);
static int execute(const struct devrun_launch *launch);
static int try_connect(void);

/// Goes all stages up to exec. Returns a negative errno and the stage and step where it came from.
static int go(const struct devrun_launch *launch, int record, enum devrun_stage *stage, size_t *step) {
  if (launch->gate_writer >= 0) close(launch->gate_writer);
  *stage = DEVRUN_STAGE_PROCESS_GROUP;
  if (launch->process_group != 0 && setpgid(0, launch->process_group)) return -errno;
  *stage = DEVRUN_STAGE_HELPER;
  if (launch->helper != NULL) return by_helper(launch, record);
  int result = to_private_view(launch, stage, step);
  return result < 0 ? result : to_program(launch, stage);
}

static int to_private_view(const struct devrun_launch *launch, enum devrun_stage *stage, size_t *step) {
  if (launch->isolation == DEVRUN_ISOLATION_NONE) return 0;
  int result = to_namespaces(launch, stage);
  if (result < 0) return result;
  bool named = is_here(launch->working_directory);
  *stage = DEVRUN_STAGE_MOUNT;
  if ((result = devrun_carry_out_mounts(launch->steps, launch->step_count, step)) < 0) return result;
  *stage = DEVRUN_STAGE_WORKING_DIRECTORY;
  // By its path, which leads through what the mounts show. Where that leads elsewhere, the process stays: unshare(2) has
  // brought it to the same directory of the new namespace already. A descriptor from before would lead out of the namespace.
  if (named && chdir(launch->working_directory) && errno != ENOENT && errno != ENOTDIR && errno != EACCES) return -errno;
  return 0;
}

static int to_program(const struct devrun_launch *launch, enum devrun_stage *stage) {
  int result;
  *stage = DEVRUN_STAGE_NO_NEW_PRIVILEGES;
  if (launch->no_capabilities && (result = devrun_give_up_capabilities()) < 0) return result;
  if (launch->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -errno;
  if (launch->filter != NULL && (result = install_filter(launch, stage)) < 0) return result;
  if (launch->gate >= 0) await_gate(launch->gate);

  *stage = DEVRUN_STAGE_LIMITS;
  if (setrlimit(RLIMIT_NOFILE, &launch->descriptor_limit)) return -errno;
  *stage = DEVRUN_STAGE_DESCRIPTORS;
  if ((result = close_descriptors(launch)) < 0) return result;
  *stage = DEVRUN_STAGE_EXEC;
  if (launch->path == NULL) {
    *stage = DEVRUN_STAGE_CONNECT;
    if (launch->filter != NULL && (result = try_connect()) < 0) return result;
    _exit(0);
  }
  restore_signals(launch);
  return execute(launch);
}

pid_t devrun_fork_and_launch(const struct devrun_launch *launch) {
  int record = launch->helper == NULL ? -1 : devrun_write_record(launch);
  if (launch->helper != NULL && record < 0) return record;
  pid_t child = fork();
  if (child != 0) {
    int result = child < 0 ? -errno : child;
    // The child does this, too, so that it is done whichever runs first. It fails where it is done and the child has executed
    // the helper.
    if (child > 0 && launch->process_group != 0) setpgid(child, launch->process_group);
    if (record >= 0) close(record);
    return result;
  }
  struct devrun_launch_failure failure = {0};
  failure.error = -go(launch, record, &failure.stage, &failure.step);
  devrun_fail(launch->report, &failure);
}

void devrun_go_on(const struct devrun_launch *launch) {
  struct devrun_launch_failure failure = {0};
  int result = to_private_view(launch, &failure.stage, &failure.step);
  failure.error = -(result < 0 ? result : to_program(launch, &failure.stage));
  devrun_fail(launch->report, &failure);
}

void devrun_fail(int report, const struct devrun_launch_failure *failure) {
  // A pipe takes so little in one piece or not at all; without a reader nobody needs it.
  ssize_t written = write(report, failure, sizeof *failure);
  _exit(written == (ssize_t)sizeof *failure ? 125 : 124);
}

/// Writes a number as text without an end. Returns how many digits it has.
static int put_number(char text[10], unsigned number) {
  char digits[10];
  int count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  for (int i = 0; i < count; i++) text[i] = digits[count - 1 - i];
  return count;
}

/// Executes the helper, which gets the launch as a record. It inherits all descriptors that it needs, and the signals
/// blocked.
static int by_helper(const struct devrun_launch *launch, int record) {
  const int handed_on[] = {record, launch->report, launch->listener_socket, launch->gate};
  for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
    if (handed_on[i] >= 0 && fcntl(handed_on[i], F_SETFD, 0)) return -errno;
  char record_text[11], report_text[11];
  record_text[put_number(record_text, (unsigned)record)] = 0;
  report_text[put_number(report_text, (unsigned)launch->report)] = 0;
  char *const arguments[] = {(char *)"devrun-exec", record_text, report_text, NULL};
  char *const environment[] = {NULL};
  execve(launch->helper, arguments, environment);
  return -errno;
}

/// Waits until the front knows of the child. The child is in the front's process group by now, so a signal to the group is
/// pending here; and one that came before, which the front hands on, becomes pending here at the latest now. Either way, and
/// also both ways at once, it takes effect once.
static void await_gate(int gate) {
  char byte;
  while (read(gate, &byte, 1) < 0 && errno == EINTR);
}

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  int result = write(file, text, strlen(text)) < 0 ? -errno : 0;
  close(file);
  return result;
}

/// "ID ID 1": one id inside, the same outside.
static void write_map(char text[32], unsigned id) {
  int end = 0;
  for (int twice = 0; twice < 2; twice++) {
    end += put_number(text + end, id);
    text[end++] = ' ';
  }
  text[end++] = '1';
  text[end] = 0;
}

static int to_user_namespace(enum devrun_stage *stage) {
  char user_map[32], group_map[32];
  write_map(user_map, geteuid());
  write_map(group_map, getegid());
  int result;
  *stage = DEVRUN_STAGE_USER_NAMESPACE;
  if (unshare(CLONE_NEWUSER)) return -errno;
  *stage = DEVRUN_STAGE_SETGROUPS;
  if ((result = write_file("/proc/self/setgroups", "deny")) < 0) return result;
  *stage = DEVRUN_STAGE_USER_MAP;
  if ((result = write_file("/proc/self/uid_map", user_map)) < 0) return result;
  *stage = DEVRUN_STAGE_GROUP_MAP;
  return write_file("/proc/self/gid_map", group_map);
}

static int to_namespaces(const struct devrun_launch *launch, enum devrun_stage *stage) {
  if (launch->isolation == DEVRUN_ISOLATION_USER) {
    int result = to_user_namespace(stage);
    if (result < 0) return result;
  }
  *stage = DEVRUN_STAGE_MOUNT_NAMESPACE;
  if (unshare(CLONE_NEWNS)) return -errno;
  // Slave, not private: what is mounted on the machine later (automounts) is to appear here as well.
  *stage = DEVRUN_STAGE_PROPAGATION;
  // Shared first: this lets the unbindable ones be bound, which being slaves alone does only on newer kernels. Else a copy
  // of a folder would lack them and show what they hide, or fail.
  if (mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL)) return -errno;
  return mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) ? -errno : 0;
}

/// Whether the path leads to the directory that this process is in.
static bool is_here(const char *path) {
  struct stat there, here;
  return path != NULL && stat(path, &there) == 0 && stat(".", &here) == 0 && there.st_dev == here.st_dev
    && there.st_ino == here.st_ino;
}

static int send_descriptor(int socket, int descriptor) {
  char byte = 0;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int install_filter(const struct devrun_launch *launch, enum devrun_stage *stage) {
  *stage = DEVRUN_STAGE_FILTER;
  int listener = devrun_install_filter(launch->filter, launch->filter_count, launch->filter_flags);
  if (listener < 0) return listener;
  *stage = DEVRUN_STAGE_LISTENER;
  int result = send_descriptor(launch->listener_socket, listener);
  close(listener);
  return result;
}

/// Closes all descriptors but those of the launch: libraries of this process may have opened some without
/// close-on-exec.
static int close_descriptors(const struct devrun_launch *launch) {
  unsigned next = 0;
  for (size_t i = 0; i < launch->descriptor_count; i++) {
    unsigned kept = (unsigned)launch->descriptors[i];
    if (kept > next) {
      int result = devrun_close_range(next, kept - 1);
      if (result < 0) return result;
    }
    next = kept + 1;
  }
  return devrun_close_range(next, ~0U);
}

static void restore_signals(const struct devrun_launch *launch) {
  // glibc keeps two numbers for itself and refuses them: nobody can have set them.
  for (int signal = 1; signal < NSIG; signal++) {
    struct sigaction action = {.sa_handler = sigismember(&launch->ignored, signal) == 1 ? SIG_IGN : SIG_DFL};
    sigaction(signal, &action, NULL);
  }
  sigprocmask(SIG_SETMASK, &launch->mask, NULL);
}

/// Makes the one connection of a launch without a program. It succeeds where connections are redirected: nothing listens
/// at the address itself.
static int try_connect(void) {
  // As every program is after exec, and a helper with file capabilities is not: else nobody may look into it. It has none
  // left by now.
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)) return -errno;
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // A machine without IPv4 has nothing to redirect it from.
  if (connection < 0) return errno == EAFNOSUPPORT ? 0 : -errno;
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons(DEVRUN_TRIAL_PORT), .sin_addr.s_addr = htonl(DEVRUN_TRIAL_ADDRESS)};
  int result = connect(connection, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
  close(connection);
  return result;
}

static int execute(const struct devrun_launch *launch) {
  devrun_take_place(launch->environment, launch->front);
  execve(launch->path, launch->arguments, launch->environment);
  // As execvp(3) does: a text file without an interpreter line is a shell script.
  if (errno == ENOEXEC) {
    execve("/bin/sh", launch->shell_arguments, launch->environment);
    return -ENOEXEC;
  }
  return -errno;
}
