#ifndef DEVRUN_FOLLOW_H
#define DEVRUN_FOLLOW_H

#include <stddef.h>
#include <sys/types.h>

#include "devrun_mounts.h"

// What covers a directory shows what the machine's directory held at the start. A process of its own repeats there what
// changes on the machine as long as the command runs.

/// Attaches a copy of what is at `source`, with all that is mounted below, at `target`. The flags are move_mount(2)'s.
int devrun_attach_copy(
  int source_directory, const char *source, int target_directory, const char *target, unsigned flags);

/// Makes an empty file, unless it is there.
int devrun_make_file(int directory, const char *name);

/// Makes a directory, unless it is there.
int devrun_make_directory(int directory, const char *name, mode_t mode);

/// A covered directory whose entries are kept like the machine's.
struct devrun_followed {
  /// Its path in the view.
  const char *path;
  /// The directory as the machine has it.
  int before;
  /// What covers it.
  int after;
  /// The file system of what covers it, where it can be changed also if `after` is read-only.
  int writable;
  /// Its number among the notifications.
  int watch;
};

enum { DEVRUN_MOST_FOLLOWED = 64 };

/// The covered directories whose entries are kept like the machine's.
struct devrun_following {
  /// Where inotify(7) reports changes of them; -1 as long as there are none.
  int notifications;
  size_t count;
  struct devrun_followed directories[DEVRUN_MOST_FOLLOWED];
};

/// Notes a covered directory to be followed. It takes `before` and `after` over. A directory that cannot be watched, and one
/// more than there is room for, stays as it is.
void devrun_follow_directory(struct devrun_following *following, const char *path, int before, int after);

/// Starts the process that follows the directories, if there are any, and waits until it has compared them once. To be called
/// after all other steps. Closes the directories here. The process is a child of this one's parent, and ends with that.
void devrun_start_following(
  struct devrun_following *following, const struct devrun_mount_step *steps, size_t count);

#endif
