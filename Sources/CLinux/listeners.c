#define _GNU_SOURCE
#include "devrun_listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The state of a listener in the kernel's table of TCP sockets (TCP_LISTEN), which only its own headers and glibc's
// <netinet/tcp.h> have; the latter cannot be included beside <linux/tcp.h>.
#define STATE_LISTEN 10

static int ask(int socket, uint8_t family) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
  } message = {
    .header = {
      .nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
    .request = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1U << STATE_LISTEN},
  };
  ssize_t count;
  do count = send(socket, &message, sizeof message, 0);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : 0;
}

static void report(
  const struct inet_diag_msg *message, void (*found)(void *, const struct devrun_listener *), void *context) {
  struct devrun_listener listener = {
    .port = ntohs(message->id.idiag_sport), .address_size = message->idiag_family == AF_INET ? 4 : 16,
    .inode = message->idiag_inode};
  memcpy(listener.address, message->id.idiag_src, listener.address_size);
  found(context, &listener);
}

/// Reads the answer to one question, to its end.
static int read_answer(int socket, void (*found)(void *, const struct devrun_listener *), void *context) {
  _Alignas(struct nlmsghdr) char buffer[32768];
  while (true) {
    ssize_t count;
    do count = recv(socket, buffer, sizeof buffer, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    // The kernel never sends nothing; this would be read for ever.
    if (count == 0) return -EPROTO;
    const struct nlmsghdr *header;
    for (size_t at = 0; at + sizeof *header <= (size_t)count; at += NLMSG_ALIGN(header->nlmsg_len)) {
      header = (const struct nlmsghdr *)(buffer + at);
      if (header->nlmsg_len < sizeof *header || header->nlmsg_len > (size_t)count - at) return -EPROTO;
      if (header->nlmsg_type == NLMSG_DONE) return 0;
      if (header->nlmsg_type == NLMSG_ERROR) {
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -EPROTO;
        int error = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
        return error < 0 ? error : -EPROTO;
      }
      if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY && header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        report(NLMSG_DATA(header), found, context);
    }
  }
}

int devrun_list_listeners(void (*found)(void *context, const struct devrun_listener *listener), void *context) {
  // A socket for each list: what is left unread of one that failed must not be taken for the next one.
  int socket_table = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (socket_table < 0) return -errno;
  const uint8_t families[] = {AF_INET, AF_INET6};
  int result = 0;
  for (size_t i = 0; result == 0 && i < sizeof families; i++) {
    result = ask(socket_table, families[i]);
    if (result == 0) result = read_answer(socket_table, found, context);
  }
  close(socket_table);
  return result;
}
