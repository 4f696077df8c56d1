#define _GNU_SOURCE
#include "CMinicluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>

// What a container sees: the machine's files, which it cannot change, beneath a root folder of its own; /dev, /proc and
// the folders for what is temporary are its own as well.
//
// Mounts are copied to a place by descriptors (open_tree, move_mount), so no path is looked up twice. A place that is
// missing on the machine is made without a change to it: the deepest folder that exists is covered by a file system in
// memory that shows the folder's entries again, and the missing ones are made there.
//
// glibc's <sys/mount.h> and the kernel's <linux/mount.h> cannot both be included everywhere, so the calls are made by
// number and the constants are the kernel's.

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#ifndef MS_NOSUID
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_NOEXEC 8
#define MS_REC 16384
#define MS_PRIVATE (1 << 18)
#endif

static int copy_tree(int folder, const char *path, unsigned flags) {
  long tree = syscall(SYS_open_tree, folder, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | flags);
  return tree < 0 ? -errno : (int)tree;
}

static int attach(int tree, int place) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return syscall(SYS_move_mount, tree, "", place, "", flags) ? -errno : 0;
}

static int attach_at(int tree, int folder, const char *name) {
  return syscall(SYS_move_mount, tree, "", folder, name, MOVE_MOUNT_F_EMPTY_PATH) ? -errno : 0;
}

static int forbid_writing(int tree) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  return syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) ? -errno : 0;
}

/// A file system in memory that is not mounted yet, as its root folder.
static int new_memory(mode_t mode) {
  char text[5];
  for (int i = 0; i < 4; i++) text[i] = (char)('0' + ((mode >> (3 * (3 - i))) & 7));
  text[4] = 0;
  int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return -errno;
  int root = -1;
  if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", text, 0) == 0
      && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    root = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  int result = root < 0 ? -errno : root;
  close(context);
  return result;
}

static int make_file(int folder, const char *name) {
  int file = openat(folder, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) return -errno;
  close(file);
  return 0;
}

/// Shows a file or folder of another folder again.
static int show_again(int before, int after, const char *name, bool folder) {
  int tree = copy_tree(before, name, AT_SYMLINK_NOFOLLOW);
  // It vanished since it was listed.
  if (tree == -ENOENT) return 0;
  if (tree < 0) return tree;
  int result = folder ? (mkdirat(after, name, 0755) ? -errno : 0) : make_file(after, name);
  if (result == 0) result = attach_at(tree, after, name);
  close(tree);
  return result;
}

static int show_entry(int before, int after, const struct dirent64 *entry) {
  const char *name = entry->d_name;
  if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0))) return 0;
  struct stat status;
  if (fstatat(before, name, &status, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : -errno;
  if (!S_ISLNK(status.st_mode)) return show_again(before, after, name, S_ISDIR(status.st_mode));
  char link[PATH_MAX];
  ssize_t count = readlinkat(before, name, link, sizeof link - 1);
  if (count < 0) return errno == ENOENT ? 0 : -errno;
  link[count] = 0;
  return symlinkat(link, after, name) ? -errno : 0;
}

static int show_entries(int list, int before, int after) {
  union {
    struct dirent64 alignment;
    char bytes[8192];
  } buffer;
  for (;;) {
    long count = syscall(SYS_getdents64, list, buffer.bytes, sizeof buffer.bytes);
    if (count <= 0) return count < 0 ? -errno : 0;
    for (long offset = 0; offset < count;) {
      const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer.bytes + offset);
      int result = show_entry(before, after, entry);
      if (result < 0) return result;
      offset += entry->d_reclen;
    }
  }
}

/// Covers a folder by one in memory, with the same entries. Returns the new folder.
static int cover(int folder) {
  struct stat status;
  if (fstat(folder, &status)) return -errno;
  int list = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list < 0) return -errno;
  int after = new_memory(status.st_mode & 07777);
  int result = after < 0 ? after : attach(after, folder);
  if (result == 0) result = show_entries(list, folder, after);
  close(list);
  if (result == 0) return after;
  if (after >= 0) close(after);
  return result;
}

static int make_entry(int folder, const char *name, bool is_folder) {
  return is_folder ? (mkdirat(folder, name, 0755) ? -errno : 0) : make_file(folder, name);
}

/// Makes a missing entry, and covers the folder first if nothing can be made in it. Returns the folder that has it then.
static int make_missing(int folder, const char *name, bool is_folder) {
  int result = make_entry(folder, name, is_folder);
  if (result == 0 || result == -EEXIST) return folder;
  if (result != -EROFS && result != -EACCES && result != -EPERM) return result;
  int covered = cover(folder);
  if (covered < 0) return covered;
  result = make_entry(covered, name, is_folder);
  if (result < 0) {
    close(covered);
    return result;
  }
  close(folder);
  return covered;
}

/// The path that a symbolic link leads to, before the rest that follows it.
static int follow(int link, char rest[PATH_MAX]) {
  char path[PATH_MAX];
  ssize_t count = readlinkat(link, "", path, sizeof path - 1);
  if (count < 0) return -errno;
  size_t length = strlen(rest);
  if ((size_t)count + 1 + length >= PATH_MAX) return -ENAMETOOLONG;
  memmove(rest + count + 1, rest, length + 1);
  memcpy(rest, path, (size_t)count);
  rest[count] = '/';
  return path[0] == '/' ? 1 : 0;
}

/// Takes the first name off a path. Whether there was one.
static bool take_name(char rest[PATH_MAX], char name[NAME_MAX + 1], int *error) {
  size_t start = 0;
  while (rest[start] == '/') start++;
  size_t end = start;
  while (rest[end] != 0 && rest[end] != '/') end++;
  if (end - start > NAME_MAX) {
    *error = -ENAMETOOLONG;
    return false;
  }
  memcpy(name, rest + start, end - start);
  name[end - start] = 0;
  while (rest[end] == '/') end++;
  memmove(rest, rest + end, strlen(rest + end) + 1);
  return name[0] != 0;
}

/// Goes one name on from a folder, which it closes or returns.
static int step(int folder, const char *name, char rest[PATH_MAX], bool is_folder, int *links) {
  int next = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0 && errno == ENOENT) {
    int made = make_missing(folder, name, rest[0] != 0 || is_folder);
    if (made < 0) {
      close(folder);
      return made;
    }
    folder = made;
    next = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  struct stat status;
  if (next < 0 || fstat(next, &status)) {
    int result = -errno;
    if (next >= 0) close(next);
    close(folder);
    return result;
  }
  if (!S_ISLNK(status.st_mode)) {
    close(folder);
    return next;
  }
  int result = ++*links > 40 ? -ELOOP : follow(next, rest);
  close(next);
  if (result == 0) return folder;
  close(folder);
  if (result < 0) return result;
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root < 0 ? -errno : root;
}

int minicluster_make_place(const char *path, bool folder) {
  char rest[PATH_MAX], name[NAME_MAX + 1];
  if (strlen(path) >= sizeof rest) return -ENAMETOOLONG;
  memcpy(rest, path, strlen(path) + 1);
  int place = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return -errno;
  int links = 0, error = 0;
  while (place >= 0 && take_name(rest, name, &error)) place = step(place, name, rest, folder, &links);
  if (error == 0 || place < 0) return place;
  close(place);
  return error;
}

/// Covers an existing folder by an empty one in memory. Does nothing where there is no such folder.
static int empty_folder(const char *path, mode_t mode) {
  int place = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
  int memory = new_memory(mode);
  int result = memory < 0 ? memory : attach(memory, place);
  if (memory >= 0) close(memory);
  close(place);
  return result;
}

static int fill_devices(int before, int after) {
  static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
  static const char *const links[][2] = {
    {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
    {"pts/ptmx", "ptmx"}};
  int result = 0;
  for (size_t i = 0; i < sizeof devices / sizeof devices[0] && result == 0; i++)
    result = show_again(before, after, devices[i], false);
  for (size_t i = 0; i < sizeof links / sizeof links[0] && result == 0; i++)
    result = symlinkat(links[i][0], after, links[i][1]) ? -errno : 0;
  if (result == 0 && (mkdirat(after, "pts", 0755) || mkdirat(after, "shm", 0755))) result = -errno;
  return result;
}

static int show_devices(void) {
  int before = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0) return -errno;
  int after = new_memory(0755);
  int result = after < 0 ? after : attach(after, before);
  if (result == 0) result = fill_devices(before, after);
  if (after >= 0) close(after);
  close(before);
  if (result < 0) return result;
  const char *options = "newinstance,ptmxmode=0666,mode=0620";
  if (syscall(SYS_mount, "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)) return -errno;
  return empty_folder("/dev/shm", 01777);
}

/// Shows the processes of the own process namespace. Where the machine is a container that hides a part of /proc, the
/// kernel refuses that to all but the machine's root, and the machine's /proc stays.
static int show_processes(void) {
  if (syscall(SYS_mount, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) return errno == EPERM ? 0 : -errno;
  int settings = copy_tree(AT_FDCWD, "/proc/sys", 0);
  if (settings < 0) return settings;
  int result = forbid_writing(settings);
  if (result == 0) result = attach_at(settings, AT_FDCWD, "/proc/sys");
  close(settings);
  return result;
}

static int show_root(void) {
  int before = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0) return -errno;
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, before, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes)) {
    int result = -errno;
    close(before);
    return result;
  }
  int after = cover(before);
  close(before);
  if (after < 0) return after;
  // Not pivot_root: the new root is mounted on the old one, and so already the namespace's.
  int result = fchdir(after) || chroot(".") ? -errno : 0;
  close(after);
  return result;
}

static int show_own_folders(void) {
  int result = show_root();
  if (result == 0) result = show_processes();
  if (result == 0) result = show_devices();
  if (result == 0) result = empty_folder("/run", 0755);
  if (result == 0) result = empty_folder("/tmp", 01777);
  return result < 0 ? result : empty_folder("/var/tmp", 01777);
}

static int open_sources(struct minicluster_launch *launch, struct minicluster_report *report) {
  report->stage = MINICLUSTER_STAGE_MOUNT_SOURCE;
  for (size_t i = 0; i < launch->mount_count; i++) {
    struct minicluster_mount *mount = &launch->mounts[i];
    report->value = (int)i;
    mount->tree = copy_tree(AT_FDCWD, mount->source, 0);
    if (mount->tree < 0) return mount->tree;
    int result = mount->read_only ? forbid_writing(mount->tree) : 0;
    if (result < 0) return result;
  }
  return 0;
}

static int attach_sources(const struct minicluster_launch *launch, struct minicluster_report *report) {
  report->stage = MINICLUSTER_STAGE_MOUNT_TARGET;
  for (size_t i = 0; i < launch->mount_count; i++) {
    const struct minicluster_mount *mount = &launch->mounts[i];
    report->value = (int)i;
    int place = minicluster_make_place(mount->target, mount->folder);
    if (place < 0) return place;
    int result = attach(mount->tree, place);
    close(place);
    close(mount->tree);
    if (result < 0) return result;
  }
  return 0;
}

int minicluster_show_files(struct minicluster_launch *launch, struct minicluster_report *report) {
  report->stage = MINICLUSTER_STAGE_FILES;
  if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return -errno;
  // The permissions of what is made are to be as they stand here.
  mode_t mask = umask(0);
  // First: the folders for what is temporary may hold the sources.
  int result = open_sources(launch, report);
  if (result < 0) return result;
  report->stage = MINICLUSTER_STAGE_FILES;
  if ((result = show_own_folders()) < 0) return result;
  if ((result = attach_sources(launch, report)) < 0) return result;
  umask(mask);
  return 0;
}
