#define _GNU_SOURCE
#include "devrun_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int devrun_signal_descriptor(const sigset_t *signals) {
  int descriptor = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

int devrun_read_signal(int descriptor, struct devrun_signal *out) {
  struct signalfd_siginfo info;
  ssize_t count;
  do count = read(descriptor, &info, sizeof info);
  while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN ? 0 : -errno;
  out->number = (int)info.ssi_signo;
  out->code = info.ssi_code;
  out->sender = (pid_t)info.ssi_pid;
  return 1;
}

int devrun_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) ? -errno : 0; }

int devrun_replace(int descriptor, int number) {
  return dup3(descriptor, number, O_CLOEXEC) < 0 ? -errno : 0;
}

int devrun_close_range(unsigned first, unsigned last) {
  return syscall(SYS_close_range, first, last, 0) ? -errno : 0;
}

int devrun_pidfd_open(pid_t pid, bool thread) {
  long descriptor = syscall(SYS_pidfd_open, pid, thread ? PIDFD_THREAD : 0);
  return descriptor < 0 ? -errno : (int)descriptor;
}

int devrun_pidfd_getfd(int pidfd, int target) {
  long descriptor = syscall(SYS_pidfd_getfd, pidfd, target, 0);
  return descriptor < 0 ? -errno : (int)descriptor;
}

ssize_t devrun_read_memory(pid_t pid, uint64_t address, void *buffer, size_t count) {
  struct iovec local = {.iov_base = buffer, .iov_len = count};
  struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = count};
  ssize_t result = process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return result < 0 ? -errno : result;
}

int devrun_receive_descriptor(int socket) {
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count;
  do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (count == 0 || header == NULL || header->cmsg_type != SCM_RIGHTS) return -EPIPE;
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

int devrun_network_namespace(int socket, uint64_t *cookie) {
  socklen_t length = sizeof *cookie;
  return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &length) ? -errno : 0;
}

int devrun_tcp_state(int socket) {
  // The kernel fills in as much of tcp_info as there is room for; the state is its first byte.
  struct tcp_info info = {0};
  socklen_t length = sizeof info.tcpi_state;
  return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) ? -errno : info.tcpi_state;
}

int devrun_disable_fast_open(int socket) {
  int off = 0;
  return setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof off) ? -errno : 0;
}
