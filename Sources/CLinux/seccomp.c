#define _GNU_SOURCE
#include "devrun_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1UL
#endif

// The native architecture and the 32-bit one whose programs it runs as well.
#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define COMPAT_ARCH AUDIT_ARCH_I386
#define COMPAT_CONNECT 362
#define COMPAT_LISTEN 363
#define COMPAT_BIND 361
#define COMPAT_SOCKETCALL 102
#define COMPAT_SENDTO 369
#define COMPAT_SENDMSG 370
#define COMPAT_SENDMMSG 345
#define COMPAT_OPEN 5
#define COMPAT_OPENAT 295
// x32 calls have x86_64's architecture, this bit, and mostly the same numbers.
#define NUMBER_MASK (~0x40000000U)
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define COMPAT_ARCH AUDIT_ARCH_ARM
#define COMPAT_CONNECT 283
#define COMPAT_LISTEN 284
#define COMPAT_BIND 282
#define COMPAT_SENDTO 290
#define COMPAT_SENDMSG 296
#define COMPAT_SENDMMSG 374
#define COMPAT_OPEN 5
#define COMPAT_OPENAT 322
#define NUMBER_MASK (~0U)
#else
#error "devrun knows the system calls of x86_64 and aarch64"
#endif

// Since Linux 5.1 new calls have one number everywhere.
#define NUMBER_IO_URING_SETUP 425
#define NUMBER_OPENAT2 437

#define SOCKETCALL_BIND 2
#define SOCKETCALL_CONNECT 3
#define SOCKETCALL_LISTEN 4

// The length of IPv4's socket address. Shorter ones are of other families: netlink's, above all, which the resolver binds.
#define SHORTEST_ADDRESS 16

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))

struct program {
  struct sock_filter *code;
  size_t count;
};

static void add(struct program *program, unsigned short code, unsigned char yes, unsigned char no, unsigned value) {
  program->code[program->count++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = value};
}

static void load(struct program *program, unsigned offset) { add(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }

static void result(struct program *program, unsigned value) { add(program, BPF_RET | BPF_K, 0, 0, value); }

/// Ends with `action` if the loaded number is `number`.
static void on_number(struct program *program, unsigned number, unsigned action) {
  add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
  result(program, action);
}

/// If the loaded number is `number`: ends with `action` if the test of an argument holds, else with "allow".
static void on_argument(
  struct program *program, unsigned number, int argument, unsigned short test, unsigned value, unsigned action) {
  add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
  load(program, DATA(args) + (unsigned)argument * 8);
  add(program, BPF_JMP | test | BPF_K, 0, 1, value);
  result(program, action);
  result(program, SECCOMP_RET_ALLOW);
}

static void native_calls(struct program *program, unsigned traps) {
  const unsigned no_fast_open = SECCOMP_RET_ERRNO | EOPNOTSUPP;
  on_number(program, SYS_connect, SECCOMP_RET_USER_NOTIF);
  if (traps & DEVRUN_TRAP_LISTEN) on_number(program, SYS_listen, SECCOMP_RET_USER_NOTIF);
  if (traps & DEVRUN_TRAP_BIND)
    on_argument(program, SYS_bind, 2, BPF_JGE, SHORTEST_ADDRESS, SECCOMP_RET_USER_NOTIF);
  on_number(program, NUMBER_IO_URING_SETUP, SECCOMP_RET_ERRNO | ENOSYS);
  on_argument(program, SYS_sendto, 3, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  on_argument(program, SYS_sendmsg, 2, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  on_argument(program, SYS_sendmmsg, 3, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  if (traps & DEVRUN_TRAP_OPEN) {
    on_number(program, SYS_openat, SECCOMP_RET_USER_NOTIF);
    on_number(program, NUMBER_OPENAT2, SECCOMP_RET_USER_NOTIF);
#ifdef SYS_open
    on_number(program, SYS_open, SECCOMP_RET_USER_NOTIF);
#endif
  }
  result(program, SECCOMP_RET_ALLOW);
}

#ifdef COMPAT_SOCKETCALL
/// i386's one call for all that is done with sockets; its first argument says what.
static void compat_socketcall(struct program *program, unsigned traps) {
  unsigned char calls[3] = {SOCKETCALL_CONNECT}, count = 1;
  if (traps & DEVRUN_TRAP_LISTEN) calls[count++] = SOCKETCALL_LISTEN;
  if (traps & DEVRUN_TRAP_BIND) calls[count++] = SOCKETCALL_BIND;
  add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, (unsigned char)(count + 3), COMPAT_SOCKETCALL);
  load(program, DATA(args));
  // Each of them jumps over the tests that are left, and over the "allow".
  for (unsigned char i = 0; i < count; i++)
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (unsigned char)(count - i), 0, calls[i]);
  result(program, SECCOMP_RET_ALLOW);
  result(program, SECCOMP_RET_USER_NOTIF);
}
#endif

static void compat_calls(struct program *program, unsigned traps) {
  const unsigned no_fast_open = SECCOMP_RET_ERRNO | EOPNOTSUPP;
  on_number(program, COMPAT_CONNECT, SECCOMP_RET_USER_NOTIF);
  if (traps & DEVRUN_TRAP_LISTEN) on_number(program, COMPAT_LISTEN, SECCOMP_RET_USER_NOTIF);
  if (traps & DEVRUN_TRAP_BIND)
    on_argument(program, COMPAT_BIND, 2, BPF_JGE, SHORTEST_ADDRESS, SECCOMP_RET_USER_NOTIF);
#ifdef COMPAT_SOCKETCALL
  compat_socketcall(program, traps);
#endif
  on_number(program, NUMBER_IO_URING_SETUP, SECCOMP_RET_ERRNO | ENOSYS);
  on_argument(program, COMPAT_SENDTO, 3, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  on_argument(program, COMPAT_SENDMSG, 2, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  on_argument(program, COMPAT_SENDMMSG, 3, BPF_JSET, MSG_FASTOPEN, no_fast_open);
  if (traps & DEVRUN_TRAP_OPEN) {
    on_number(program, COMPAT_OPENAT, SECCOMP_RET_USER_NOTIF);
    on_number(program, NUMBER_OPENAT2, SECCOMP_RET_USER_NOTIF);
    on_number(program, COMPAT_OPEN, SECCOMP_RET_USER_NOTIF);
  }
  result(program, SECCOMP_RET_ALLOW);
}

size_t devrun_filter(struct sock_filter *out, unsigned traps) {
  struct program program = {.code = out, .count = 0};
  load(&program, DATA(arch));
  // The jump over the native part is set once its length is known.
  size_t branch = program.count;
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, NATIVE_ARCH);
  load(&program, DATA(nr));
  add(&program, BPF_ALU | BPF_AND | BPF_K, 0, 0, NUMBER_MASK);
  native_calls(&program, traps);
  program.code[branch].jf = (unsigned char)(program.count - branch - 1);
  // 32-bit calls; those of any other architecture cannot be made on this machine.
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, COMPAT_ARCH);
  result(&program, SECCOMP_RET_ALLOW);
  load(&program, DATA(nr));
  compat_calls(&program, traps);
  return program.count;
}

int devrun_install_filter(const struct sock_filter *filter, size_t count, unsigned flags) {
  struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)filter};
  unsigned long kernel_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  if (flags & DEVRUN_FILTER_SPECULATION) kernel_flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // Not SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: who waits for a far end must be interruptible by signals, stops,
  // debuggers and the freezer.
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kernel_flags, &program);
  return listener < 0 ? -errno : (int)listener;
}

static enum devrun_call classify(const struct seccomp_data *data, uint64_t arguments[6]) {
  memcpy(arguments, data->args, sizeof data->args);
  int native = data->arch == NATIVE_ARCH;
  int number = native ? (int)((unsigned)data->nr & NUMBER_MASK) : data->nr;
  if (number == NUMBER_OPENAT2) return DEVRUN_CALL_OPEN_HOW;
  if (number == (native ? SYS_connect : COMPAT_CONNECT)) return DEVRUN_CALL_CONNECT;
  if (number == (native ? SYS_listen : COMPAT_LISTEN)) return DEVRUN_CALL_LISTEN;
  if (number == (native ? SYS_bind : COMPAT_BIND)) return DEVRUN_CALL_BIND;
  if (number == (native ? SYS_openat : COMPAT_OPENAT)) return DEVRUN_CALL_OPEN;
#ifdef COMPAT_SOCKETCALL
  if (!native && number == COMPAT_SOCKETCALL) {
    if ((unsigned)arguments[0] == SOCKETCALL_LISTEN) return DEVRUN_CALL_SOCKETCALL_LISTEN;
    return (unsigned)arguments[0] == SOCKETCALL_BIND ? DEVRUN_CALL_SOCKETCALL_BIND : DEVRUN_CALL_SOCKETCALL_CONNECT;
  }
#endif
#ifdef SYS_open
  int is_open = number == (native ? SYS_open : COMPAT_OPEN);
#else
  int is_open = !native && number == COMPAT_OPEN;
#endif
  if (!is_open) return DEVRUN_CALL_OTHER;
  arguments[2] = data->args[1];
  arguments[1] = data->args[0];
  arguments[0] = (uint64_t)AT_FDCWD;
  return DEVRUN_CALL_OPEN;
}

int devrun_receive_notification(int listener, struct devrun_notification *out) {
  // A later kernel's structure may be longer; it insists on zeroes in all of it.
  union {
    struct seccomp_notif notification;
    char room[512];
  } buffer;
  do memset(&buffer, 0, sizeof buffer);
  while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &buffer) < 0 && errno == EINTR);
  if (buffer.notification.id == 0) return -errno;
  out->id = buffer.notification.id;
  out->thread = (pid_t)buffer.notification.pid;
  out->call = classify(&buffer.notification.data, out->arguments);
  return 0;
}

bool devrun_notification_is_valid(int listener, uint64_t id) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int send_answer(int listener, const struct seccomp_notif_resp *response) {
  union {
    struct seccomp_notif_resp response;
    char room[512];
  } buffer = {0};
  buffer.response = *response;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &buffer) ? -errno : 0;
}

int devrun_answer_continue(int listener, uint64_t id) {
  return send_answer(listener, &(struct seccomp_notif_resp){.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

int devrun_answer(int listener, uint64_t id, int64_t value, int error) {
  return send_answer(listener, &(struct seccomp_notif_resp){.id = id, .val = value, .error = -error});
}

int devrun_answer_descriptor(int listener, uint64_t id, int descriptor, bool close_on_exec, bool in_one_step) {
  struct seccomp_notif_addfd request = {
    .id = id,
    .srcfd = (unsigned)descriptor,
    .newfd_flags = close_on_exec ? O_CLOEXEC : 0,
    .flags = in_one_step ? SECCOMP_ADDFD_FLAG_SEND : 0,
  };
  int number = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request);
  if (number < 0 && errno == EINVAL && in_one_step)
    return devrun_answer_descriptor(listener, id, descriptor, close_on_exec, false);
  if (number < 0) return -errno;
  return in_one_step ? 0 : devrun_answer(listener, id, number, 0);
}

int devrun_place_descriptor(int listener, uint64_t id, int descriptor, int number, bool close_on_exec) {
  struct seccomp_notif_addfd request = {
    .id = id,
    .srcfd = (unsigned)descriptor,
    .newfd = (unsigned)number,
    .newfd_flags = close_on_exec ? O_CLOEXEC : 0,
    .flags = SECCOMP_ADDFD_FLAG_SETFD,
  };
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0 ? -errno : 0;
}

int devrun_take_turns(int listener) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) ? -errno : 0;
}
