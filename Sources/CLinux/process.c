#define _GNU_SOURCE
#include "devrun_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

int devrun_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) ? -errno : 0; }

int devrun_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0) ? -errno : 0; }

/// Where the kernel reads this process's command line from. libc does not show it to who has not got it from `main`.
static int find_command_line(char **start, char **end) {
  char text[2048];
  int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  ssize_t count;
  do count = read(file, text, sizeof text - 1);
  while (count < 0 && errno == EINTR);
  int error = errno;
  close(file);
  if (count < 0) return -error;
  text[count] = '\0';
  // The second field, in parentheses, may hold anything. arg_start is the 48th, and arg_end follows it.
  char *field = strrchr(text, ')');
  for (int number = 2; field != NULL && number < 48; number++) field = strchr(field + 1, ' ');
  if (field == NULL) return -ENOTSUP;
  *start = (char *)(uintptr_t)strtoull(field, &field, 10);
  *end = (char *)(uintptr_t)strtoull(field, NULL, 10);
  return *start != NULL && *start < *end ? 0 : -ENOTSUP;
}

int devrun_set_command_line(const char *name, bool keeps_command) {
  char *start, *end;
  int error = find_command_line(&start, &end);
  if (error) return error;
  char *rest = end;
  for (char *word = start; keeps_command && word < end; word += strnlen(word, (size_t)(end - word)) + 1) {
    if (end - word < 3 || memcmp(word, "--", 3) != 0) continue;
    rest = word + 3;
    break;
  }
  size_t room = (size_t)(rest - start) - 1;
  size_t length = strnlen(name, room);
  memcpy(start, name, length);
  memset(start + length, ' ', room - length);
  start[room] = '\0';
  return 0;
}

int devrun_signal_process(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) ? -errno : 0;
}

/// Writes a name and a number as an entry of an environment.
static char *write_entry(char entry[48], const char *name, uint64_t number) {
  char digits[20];
  size_t count = 0, length = strlen(name);
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  memcpy(entry, name, length);
  for (size_t i = 0; i < count; i++) entry[length + i] = digits[count - 1 - i];
  entry[length + count] = 0;
  return entry;
}

/// The number by which newer systemds tell a process from a later one of the same number: its pidfd's inode. 0: none.
static uint64_t process_inode(void) {
  int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0) return 0;
  struct stat status;
  uint64_t inode = fstat(self, &status) ? 0 : status.st_ino;
  close(self);
  return inode;
}

void devrun_take_place(char *const *environment, pid_t former) {
  enum { LISTENER, WATCHDOG, EXECUTED, LISTENER_INODE, COUNT };
  static const char *const names[COUNT] = {"LISTEN_PID=", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID=", "LISTEN_PIDFDID="};
  static char entries[COUNT][48];
  char **list = (char **)environment;
  char **found[COUNT] = {NULL};
  for (char **entry = list; *entry != NULL; entry++)
    for (int i = 0; i < COUNT; i++)
      if (strncmp(*entry, names[i], strlen(names[i])) == 0) found[i] = entry;
  bool named[COUNT] = {false};
  for (int i = 0; i < LISTENER_INODE; i++) {
    named[i] = found[i] != NULL && strcmp(*found[i], write_entry(entries[i], names[i], (uint64_t)former)) == 0;
    if (named[i]) *found[i] = write_entry(entries[i], names[i], (uint64_t)getpid());
  }
  uint64_t inode = named[LISTENER] && found[LISTENER_INODE] != NULL ? process_inode() : 0;
  if (inode != 0) *found[LISTENER_INODE] = write_entry(entries[LISTENER_INODE], names[LISTENER_INODE], inode);
}

int devrun_forbid_core_dump(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0; }

bool devrun_has_sys_admin(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capget, &header, data)) return false;
  return data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

int devrun_give_up_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  return syscall(SYS_capset, &header, none) ? -errno : 0;
}

ssize_t devrun_get_attribute(const char *path, const char *name, void *buffer, size_t count) {
  ssize_t size = getxattr(path, name, buffer, count);
  return size < 0 ? -errno : size;
}

int devrun_await_child(pid_t child, struct devrun_child_event *event) {
  siginfo_t info = {0};
  // Stops and continuations are consumed; an end must not be, or the process id could be another's at once.
  for (;;) {
    int result = waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WCONTINUED | WNOWAIT);
    if (result == 0) break;
    if (errno != EINTR) return -errno;
  }
  if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED || info.si_code == CLD_CONTINUED) {
    siginfo_t consumed = {0};
    if (waitid(P_PID, (id_t)child, &consumed, WSTOPPED | WCONTINUED | WNOHANG)) return -errno;
    if (consumed.si_pid != 0) info = consumed;
  }
  event->value = info.si_status;
  event->core_dumped = info.si_code == CLD_DUMPED;
  switch (info.si_code) {
  case CLD_EXITED: event->change = DEVRUN_CHILD_EXITED; break;
  case CLD_CONTINUED: event->change = DEVRUN_CHILD_CONTINUED; break;
  case CLD_STOPPED:
  case CLD_TRAPPED: event->change = DEVRUN_CHILD_STOPPED; break;
  default: event->change = DEVRUN_CHILD_KILLED; break;
  }
  return 0;
}

int devrun_reap(pid_t child) {
  siginfo_t info = {0};
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG)) return -errno;
  return info.si_pid != 0;
}

/// Where the handler writes to. A handler has no other way to be told.
static volatile sig_atomic_t caught_signals = -1;

static void write_signal(int signal) {
  int saved = errno;
  unsigned char number = (unsigned char)signal;
  // A full pipe holds enough signals not to miss one more.
  ssize_t written = write(caught_signals, &number, 1);
  (void)written;
  errno = saved;
}

int devrun_catch(const sigset_t *signals, int descriptor) {
  caught_signals = descriptor;
  struct sigaction action = {.sa_handler = write_signal, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  for (int signal = 1; signal < NSIG; signal++)
    if (sigismember(signals, signal) == 1 && sigaction(signal, &action, NULL)) return -errno;
  return 0;
}

bool devrun_is_ignored(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int set_handler(int signal, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  return sigaction(signal, &action, NULL) ? -errno : 0;
}

int devrun_ignore(int signal) { return set_handler(signal, SIG_IGN); }

int devrun_set_default(int signal) { return set_handler(signal, SIG_DFL); }
