// loader run RUNDIR PAYLOADDIR -- ARGUMENT...
//     inflates the agent to RUNDIR/agent and executes it with the arguments; the environment is left as it is
// loader ready FILE
//     succeeds if the file exists: the agent makes it while devrun is attached
// loader alive [PORT]
//     succeeds in a container that runs (a probe runs in the container, which lives as long as the agent); with the
//     agent's control port, if that can be connected to

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

void complain(int error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("devrun-loader: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  if (error != 0) fprintf(stderr, ": %s", strerror(error));
  fputc('\n', stderr);
}

// Writes the agent to a file and executes it. Returns a status if that cannot be done.
//
// Preferred, because an executable without a file looks like an intrusion to runtime monitors, and its pages count
// against the container's memory.
static int run_from_file(const char *run_directory, const char *payload, char *const arguments[]) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/agent", run_directory) >= (int)sizeof path) {
    complain(ENAMETOOLONG, "%s", run_directory);
    return LOADER_PLACE;
  }
  // A container that is started again finds what it left.
  if (unlink(path) != 0 && errno != ENOENT) {
    complain(errno, "cannot replace %s", path);
    return LOADER_PLACE;
  }
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  if (file < 0) {
    complain(errno, "cannot make %s", path);
    return LOADER_PLACE;
  }
  int status = inflate_pieces(payload, file);
  if (status == LOADER_PLACE) complain(errno, "cannot write %s", path);
  if (status == 0 && fchmod(file, 0755) != 0) {
    complain(errno, "cannot make %s executable", path);
    status = LOADER_PLACE;
  }
  // An executable that is open for writing cannot be executed (ETXTBSY).
  close(file);
  if (status == 0) {
    keep_signals();
    execv(path, arguments);
    int error = errno;
    end_by_signals();
    complain(error, "cannot execute %s", path);
    status = LOADER_PLACE;
  }
  unlink(path);
  return status;
}

// Writes the agent to memory and executes it. Returns a status if that cannot be done.
static int run_from_memory(const char *payload, char *const arguments[]) {
  int file = memfd_create("devrun-agent", MFD_CLOEXEC | MFD_EXEC);
  if (file < 0 && errno == EINVAL) file = memfd_create("devrun-agent", MFD_CLOEXEC);
  if (file < 0) {
    complain(errno, "cannot make a file in memory");
    return LOADER_PLACE;
  }
  int status = inflate_pieces(payload, file);
  if (status == LOADER_PLACE) complain(errno, "cannot write to memory");
  if (status == 0) {
    keep_signals();
    fexecve(file, arguments, environ);
    int error = errno;
    end_by_signals();
    complain(error, "cannot execute from memory");
    status = LOADER_PLACE;
  }
  return status;
}

static int run(int count, char *values[]) {
  if (count < 3 || strcmp(values[2], "--") != 0) {
    complain(0, "usage: loader run RUNDIR PAYLOADDIR -- ARGUMENT...");
    return LOADER_USAGE;
  }
  // The place of "--" becomes the agent's own name; the array ends with argv's null.
  values[2] = "devrun-agent";
  end_by_signals();
  int status = run_from_file(values[0], values[1], values + 2);
  if (status == LOADER_PLACE) status = run_from_memory(values[1], values + 2);
  return status;
}

static int is_listening(const char *text) {
  char *end;
  long port = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || port < 1 || port > 65535) {
    complain(0, "'%s' is no port", text);
    return LOADER_USAGE;
  }
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
    complain(errno, "the agent does not listen on port %ld", port);
    return 1;
  }
  close(connection);
  return 0;
}

int main(int count, char *values[]) {
  if (count >= 2 && strcmp(values[1], "run") == 0) return run(count - 2, values + 2);
  if (count == 3 && strcmp(values[1], "ready") == 0) return access(values[2], F_OK) == 0 ? 0 : 1;
  if (count == 2 && strcmp(values[1], "alive") == 0) return 0;
  if (count == 3 && strcmp(values[1], "alive") == 0) return is_listening(values[2]);
  complain(0, "usage: loader run RUNDIR PAYLOADDIR -- ARGUMENT... | loader ready FILE | loader alive [PORT]");
  return LOADER_USAGE;
}
