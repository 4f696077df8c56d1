#ifndef DEVRUN_CMINICLUSTER_H
#define DEVRUN_CMINICLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// What the minicluster needs of Linux and Swift cannot see, or cannot do safely: namespaces, and the way from a new
// process to a container's program.
//
// Unless said otherwise a function returns a negative errno on failure.

// MARK: The node's place

/// The steps of an init in new namespaces, in their order.
enum minicluster_place_stage {
  MINICLUSTER_PLACE_NAMESPACES = 1,
  MINICLUSTER_PLACE_SETGROUPS,
  MINICLUSTER_PLACE_USER_MAP,
  MINICLUSTER_PLACE_GROUP_MAP,
  MINICLUSTER_PLACE_PARENT,
  MINICLUSTER_PLACE_PROPAGATION,
  MINICLUSTER_PLACE_PROCESSES,
  MINICLUSTER_PLACE_NODE,
};

/// Why there is no node.
struct minicluster_place_failure {
  enum minicluster_place_stage stage;
  int error;
};

/// Forks an init into new mount, network, process, host name and IPC namespaces, and the node as the init's child. Only for a
/// process of one thread.
///
/// The init is the first process of the process namespace, so the kernel kills all that is in it when the init ends. The
/// init is killed when the caller dies. It ends with the node, passes SIGTERM, SIGINT and SIGHUP on to the node, and
/// reaps what has lost its parent.
///
/// - user: whether the namespaces are owned by a new user namespace, in which the caller is root and nobody else exists.
/// - report: the write end of a pipe. It gets a `minicluster_place_failure` if the init fails, and ends otherwise.
///
/// Returns twice, as fork does: the init's id to the caller, and 0 to the node.
pid_t minicluster_enter_place(bool user, int report);

/// A descriptor of the machine's /proc, which shows processes under the machine's numbers: that of the node's /proc shows
/// those of the node. -1 with errno on failure. Async-signal-safe.
int minicluster_machine_processes(void);
/// Forks. Only for a process of one thread; Swift's Glibc module hides fork.
pid_t minicluster_fork(void);
/// Opens a close-on-exec pidfd of a process.
int minicluster_pidfd_open(pid_t process);
/// Sends a signal to a pidfd's process.
int minicluster_pidfd_send_signal(int pidfd, int signal);
/// Moves this thread to the network namespace of the descriptor.
int minicluster_join_network(int descriptor);

// MARK: Processes

/// The steps on the way to a program, in their order.
enum minicluster_stage {
  /// No failure: `value` is the process's id as its parent sees it.
  MINICLUSTER_STARTED = 1,
  /// No failure: `value` is the process's id as the machine sees it.
  MINICLUSTER_SEEN_FROM_OUTSIDE,
  MINICLUSTER_STAGE_NAMESPACE,
  MINICLUSTER_STAGE_FORK,
  MINICLUSTER_STAGE_HOST_NAME,
  MINICLUSTER_STAGE_FILES,
  /// `value` is the mount's index.
  MINICLUSTER_STAGE_MOUNT_SOURCE,
  /// `value` is the mount's index.
  MINICLUSTER_STAGE_MOUNT_TARGET,
  MINICLUSTER_STAGE_WORKING_DIRECTORY,
  MINICLUSTER_STAGE_CAPABILITIES,
  MINICLUSTER_STAGE_DESCRIPTORS,
  /// There is no program of this name, or it cannot be executed.
  MINICLUSTER_STAGE_PROGRAM,
};

/// What the way to a program writes to its report.
struct minicluster_report {
  enum minicluster_stage stage;
  /// The errno; 0 where nothing failed.
  int error;
  int value;
};

/// Something that a container sees at a place of its own.
struct minicluster_mount {
  /// A file or folder, as the caller sees it.
  const char *source;
  /// An absolute path in the container. What is missing of it is made, without a change to the machine's files.
  const char *target;
  bool read_only;
  /// Whether the source is a folder.
  bool folder;
  /// For the way to the program: the mount before it has its place.
  int tree;
};

/// The namespaces of a new process.
enum minicluster_namespaces {
  MINICLUSTER_NO_NAMESPACES,
  /// Network, host name and IPC.
  MINICLUSTER_NAMESPACES_OF_POD,
  /// Mounts and processes.
  MINICLUSTER_NAMESPACES_OF_CONTAINER,
};

/// All that the way to a program needs, made ready beforehand.
struct minicluster_launch {
  /// Open namespaces to join, in this order.
  const int *joined;
  size_t joined_count;
  /// The namespaces to make.
  enum minicluster_namespaces made;
  /// The host name to set; NULL: none.
  const char *host_name;
  /// Whether to see the machine's files as a container does: read-only, with folders of its own for what is temporary.
  bool own_files;
  struct minicluster_mount *mounts;
  size_t mount_count;
  /// Where to be; it is made if it is missing and the files are own ones. NULL: stay.
  const char *working_directory;
  /// Whether to keep only the capabilities that container runtimes leave to root.
  bool fewer_capabilities;
  /// Whether to lead a new session.
  bool new_session;
  /// The files to try, in this order, up to NULL.
  const char *const *candidates;
  char *const *arguments;
  char *const *environment;
  /// What becomes standard input, output and error.
  int input;
  int output;
  int error;
  /// The write end of a pipe for `minicluster_report`s. It ends when the program runs.
  int report;
};

/// Starts a program as a child of this process. To be called with all signals blocked.
///
/// Returns the id of a process that has ended soon and must be reaped; the program's own is reported. That one is a child
/// of this process, too.
pid_t minicluster_start(struct minicluster_launch *launch);

/// Goes the way to own files in a new mount namespace. Async-signal-safe.
int minicluster_show_files(struct minicluster_launch *launch, struct minicluster_report *report);
/// Opens a place in the container, which is made if it is missing. Async-signal-safe.
int minicluster_make_place(const char *path, bool folder);

#endif
