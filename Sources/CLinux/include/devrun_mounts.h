#ifndef DEVRUN_MOUNTS_H
#define DEVRUN_MOUNTS_H

#include <stddef.h>
#include <sys/types.h>

// The private view is changed between fork and exec, where only C may run: Swift plans it as a list of steps
// (`MountStep`), and this carries them out without a decision of its own.

/// What a step does. Names are relative to the directory that the last DEVRUN_MOUNT_COVER covered, paths are absolute
/// and free of symbolic links.
enum devrun_mount_kind {
  /// Shows what is at `source`, with all that is mounted below, at the path `target`.
  DEVRUN_MOUNT_BIND,
  /// Covers the directory `target` by an empty file system in memory, whose root has the permissions `mode`; what was
  /// there remains reachable for the following steps.
  DEVRUN_MOUNT_COVER,
  /// Shows the covered directory's subdirectory `target` again.
  DEVRUN_MOUNT_KEEP_DIRECTORY,
  /// Shows the covered directory's file, socket or device `target` again.
  DEVRUN_MOUNT_KEEP_FILE,
  /// Makes the symbolic link `target` that points to `source`.
  DEVRUN_MOUNT_KEEP_LINK,
  /// Keeps the entries of the covered directory, whose path is `target`, like the machine's as long as the command runs.
  /// Only as the last of the steps about these entries.
  DEVRUN_MOUNT_FOLLOW,
  /// Makes the covered root the root of this process. Only after covering `/`.
  DEVRUN_MOUNT_ENTER_ROOT,
  /// Makes the directory `target` (a path) with the permissions `mode`, unless it is there.
  DEVRUN_MOUNT_MAKE_DIRECTORY,
  /// Makes the empty file `target` (a path), unless it is there.
  DEVRUN_MOUNT_MAKE_FILE,
  /// Makes the file system that covers the directory `target` read-only, or at least that directory, and gives it the
  /// permissions `mode`.
  DEVRUN_MOUNT_MAKE_READ_ONLY,
};

/// A step of the way to the private view.
struct devrun_mount_step {
  enum devrun_mount_kind kind;
  const char *source;
  const char *target;
  mode_t mode;
};

/// Carries the steps out in the calling process's mount namespace. Async-signal-safe. On failure `failed` is the index
/// of the step. The process that follows directories is a child of this process's parent, and ends with that.
int devrun_carry_out_mounts(const struct devrun_mount_step *steps, size_t count, size_t *failed);

#endif
