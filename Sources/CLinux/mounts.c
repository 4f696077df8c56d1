#define _GNU_SOURCE
#include "devrun_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devrun_follow.h"

// glibc's <sys/mount.h> and the kernel's <linux/mount.h> cannot both be included everywhere, so the calls are made by
// number and the constants are the kernel's.

// mount_setattr(2) came with Linux 5.12, later than some headers.
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/// `struct mount_attr` of the kernel.
struct mount_attributes {
  uint64_t set;
  uint64_t clear;
  uint64_t propagation;
  uint64_t user_namespace;
};

/// The directory that was covered last: as it was, and the file system that covers it.
struct covered {
  int before;
  int after;
};

int devrun_attach_copy(
  int source_directory, const char *source, int target_directory, const char *target, unsigned flags) {
  unsigned copying = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
  long tree = syscall(SYS_open_tree, source_directory, source, copying);
  if (tree < 0) return -errno;
  flags |= MOVE_MOUNT_F_EMPTY_PATH;
  long moved = syscall(SYS_move_mount, (int)tree, "", target_directory, target, flags);
  int result = moved < 0 ? -errno : 0;
  close((int)tree);
  return result;
}

/// Four octal digits.
static void write_mode(char text[5], mode_t mode) {
  for (int i = 0; i < 4; i++) text[i] = (char)('0' + ((mode >> (3 * (3 - i))) & 7));
  text[4] = 0;
}

/// A new file system in memory, which is mounted nowhere.
static int make_file_system(mode_t mode) {
  char text[5];
  write_mode(text, mode);
  int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return -errno;
  long result = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "devrun", 0);
  if (result == 0) result = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", text, 0);
  if (result == 0) result = syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  if (result == 0) result = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (result < 0) result = -errno;
  close(context);
  return (int)result;
}

static void leave_covered(struct covered *covered) {
  if (covered->before >= 0) close(covered->before);
  if (covered->after >= 0) close(covered->after);
  covered->before = covered->after = -1;
}

static int cover(struct covered *covered, const char *path, mode_t mode) {
  leave_covered(covered);
  covered->before = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (covered->before < 0) return -errno;
  // Also in what its owner must not write to, entries are made. It becomes so when it becomes read-only.
  covered->after = make_file_system(mode | S_IRWXU);
  if (covered->after < 0) return covered->after;
  // Both by descriptors: no path leads elsewhere meanwhile, and none leads to what covers `/`.
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return syscall(SYS_move_mount, covered->after, "", covered->before, "", flags) ? -errno : 0;
}

int devrun_make_file(int directory, const char *name) {
  int file = openat(directory, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) return -errno;
  close(file);
  return 0;
}

int devrun_make_directory(int directory, const char *name, mode_t mode) {
  return mkdirat(directory, name, mode) && errno != EEXIST ? -errno : 0;
}

/// Shows an entry of the covered directory again. One that vanished since the steps were planned is left out.
static int keep(const struct covered *covered, const struct devrun_mount_step *step) {
  int made = step->kind == DEVRUN_MOUNT_KEEP_DIRECTORY
    ? devrun_make_directory(covered->after, step->target, 0755)
    : devrun_make_file(covered->after, step->target);
  if (made < 0) return made;
  int attached = devrun_attach_copy(covered->before, step->target, covered->after, step->target, 0);
  if (attached != -ENOENT) return attached;
  int flags = step->kind == DEVRUN_MOUNT_KEEP_DIRECTORY ? AT_REMOVEDIR : 0;
  return unlinkat(covered->after, step->target, flags) ? -errno : 0;
}

/// Not by a remount, which takes all flags anew and so could take some away.
static int make_read_only(const char *path, mode_t mode) {
  if (chmod(path, mode)) return -errno;
  struct mount_attributes attributes = {.set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attributes, sizeof attributes) == 0) return 0;
  if (errno != ENOSYS && errno != EPERM) return -errno;
  // Linux before 5.12, or a seccomp profile that does not have the call.
  return chmod(path, mode & ~(mode_t)0222) ? -errno : 0;
}

/// Hands the directory that was covered last over to be followed. No `keep` comes after it.
static void follow(struct devrun_following *following, struct covered *covered, const char *path) {
  if (covered->before < 0 || covered->after < 0) return;
  devrun_follow_directory(following, path, covered->before, covered->after);
  covered->before = covered->after = -1;
}

static int carry_out(
  struct covered *covered, struct devrun_following *following, const struct devrun_mount_step *step) {
  switch (step->kind) {
  case DEVRUN_MOUNT_BIND: return devrun_attach_copy(AT_FDCWD, step->source, AT_FDCWD, step->target, 0);
  case DEVRUN_MOUNT_COVER: return cover(covered, step->target, step->mode);
  case DEVRUN_MOUNT_KEEP_DIRECTORY:
  case DEVRUN_MOUNT_KEEP_FILE: return keep(covered, step);
  case DEVRUN_MOUNT_KEEP_LINK: return symlinkat(step->source, covered->after, step->target) ? -errno : 0;
  case DEVRUN_MOUNT_FOLLOW: follow(following, covered, step->target); return 0;
  case DEVRUN_MOUNT_ENTER_ROOT:
    // Not pivot_root: the new root is mounted on the old one, and so already the namespace's. A process whose root is
    // the top of its namespace does not count as changed-rooted, and may make user namespaces of its own. By a path: this
    // process stays in its working directory, to which the user may have no other way.
    return chroot("/..") ? -errno : 0;
  case DEVRUN_MOUNT_MAKE_DIRECTORY: return devrun_make_directory(AT_FDCWD, step->target, step->mode);
  case DEVRUN_MOUNT_MAKE_FILE: return devrun_make_file(AT_FDCWD, step->target);
  case DEVRUN_MOUNT_MAKE_READ_ONLY: return make_read_only(step->target, step->mode);
  }
  return -EINVAL;
}

int devrun_carry_out_mounts(const struct devrun_mount_step *steps, size_t count, size_t *failed) {
  struct covered covered = {.before = -1, .after = -1};
  struct devrun_following following = {.notifications = -1, .count = 0};
  // The permissions of what is made are to be as planned.
  mode_t mask = umask(0);
  int result = 0;
  for (size_t i = 0; i < count && result == 0; i++) {
    *failed = i;
    result = carry_out(&covered, &following, &steps[i]);
  }
  leave_covered(&covered);
  if (result == 0) devrun_start_following(&following, steps, count);
  umask(mask);
  return result;
}
