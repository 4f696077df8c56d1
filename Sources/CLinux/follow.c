#define _GNU_SOURCE
#include "devrun_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devrun_descriptors.h"

// Theory of operation.
//
// A directory to which the user may not write is covered by a file system in memory if something is to appear in it, and its
// entries are shown there one by one. On the machine that directory goes on to change: a daemon makes its socket anew, a new
// /etc/resolv.conf is renamed over the old one. One process per command, which stays in the command's mount namespace with the
// rights that made it, is notified of each change and repeats it in what covers the directory. Nothing less does it: an overlay
// does not show later changes, its sockets are dead, and no process outside of the namespace can mount inside.
//
// The process is the keeper's child and not the command's (CLONE_PARENT), in the keeper's process group, as the keeper's other
// helpers are. It ends with the keeper. It holds nothing that the command has: no descriptor, no place in the job, no working
// directory. It was forked by one thread of many, so that it calls nothing but what is async-signal-safe.
//
// With file capabilities (devrun-exec) it has CAP_SYS_ADMIN as long as it lives, and the names of entries are the only thing
// that reaches it. It mounts copies of what its user can see beside it already, and only on entries of the file system that it
// has made; and it takes away no mount but these.

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif

static const char temporary_name[] = ".devrun-new";

/// The steps of the launch, which name what is devrun's own in the directories.
struct plan {
  const struct devrun_mount_step *steps;
  size_t count;
};

// MARK: - Before the launch

/// "/proc/self/fd/" and the number.
static void write_path(char path[32], int descriptor) {
  static const char prefix[] = "/proc/self/fd/";
  char digits[10];
  int count = 0;
  size_t end = sizeof prefix - 1;
  memcpy(path, prefix, end);
  do digits[count++] = (char)('0' + descriptor % 10);
  while ((descriptor /= 10) > 0);
  while (count > 0) path[end++] = digits[--count];
  path[end] = 0;
}

/// Watches a directory that is covered already, and so no longer reached by its own path.
static int watch(int notifications, int directory) {
  char path[32];
  write_path(path, directory);
  return inotify_add_watch(
    notifications, path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
}

void devrun_follow_directory(struct devrun_following *following, const char *path, int before, int after) {
  if (following->notifications < 0) following->notifications = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  int writable = (int)syscall(SYS_open_tree, after, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  int number = -1;
  if (following->count < DEVRUN_MOST_FOLLOWED && following->notifications >= 0 && writable >= 0)
    number = watch(following->notifications, before);
  if (number < 0) {
    if (writable >= 0) close(writable);
    close(before);
    close(after);
    return;
  }
  following->directories[following->count++] = (struct devrun_followed){
    .path = path, .before = before, .after = after, .writable = writable, .watch = number};
}

// MARK: - One entry

/// Whether a directory's entry leads to what devrun itself shows: it stays, whatever the machine has of this name.
static bool is_own(const struct plan *plan, const struct devrun_followed *directory, const char *name) {
  size_t prefix = directory->path[1] == 0 ? 0 : strlen(directory->path);
  size_t length = strlen(name);
  for (size_t i = 0; i < plan->count; i++) {
    const struct devrun_mount_step *step = &plan->steps[i];
    if (step->kind != DEVRUN_MOUNT_BIND && step->kind != DEVRUN_MOUNT_COVER && step->kind != DEVRUN_MOUNT_MAKE_DIRECTORY
        && step->kind != DEVRUN_MOUNT_MAKE_FILE)
      continue;
    const char *target = step->target;
    if (strncmp(target, directory->path, prefix) != 0 || target[prefix] != '/') continue;
    const char *first = target + prefix + 1;
    if (strncmp(first, name, length) == 0 && (first[length] == 0 || first[length] == '/')) return true;
  }
  return false;
}

static bool look(int directory, const char *name, struct stat *status) {
  return fstatat(directory, name, status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

static bool read_link(int directory, const char *name, char target[PATH_MAX]) {
  ssize_t length = readlinkat(directory, name, target, PATH_MAX - 1);
  if (length < 0) return false;
  target[length] = 0;
  return true;
}

static void remove_entry(const struct devrun_followed *directory, const char *name, const struct stat *status) {
  // umount2(2) has no form with a directory.
  if (!S_ISLNK(status->st_mode) && fchdir(directory->after) == 0)
    syscall(SYS_umount2, name, MNT_DETACH | UMOUNT_NOFOLLOW);
  unlinkat(directory->writable, name, S_ISDIR(status->st_mode) ? AT_REMOVEDIR : 0);
}

static void show_link(const struct devrun_followed *directory, const char *name) {
  char target[PATH_MAX], shown[PATH_MAX];
  if (!read_link(directory->before, name, target)) return;
  if (read_link(directory->after, name, shown) && strcmp(target, shown) == 0) return;
  // By a rename: a link that is replaced is never missing.
  unlinkat(directory->writable, temporary_name, 0);
  if (symlinkat(target, directory->writable, temporary_name) == 0)
    syscall(SYS_renameat2, directory->writable, temporary_name, directory->writable, name, 0);
}

static void add_entry(const struct devrun_followed *directory, const char *name, const struct stat *status) {
  if (S_ISLNK(status->st_mode)) return show_link(directory, name);
  bool is_directory = S_ISDIR(status->st_mode);
  int made = is_directory ? devrun_make_directory(directory->writable, name, 0755)
                          : devrun_make_file(directory->writable, name);
  // One that has become something else meanwhile is reported once more.
  if (made == 0 && devrun_attach_copy(directory->before, name, directory->after, name, 0) < 0)
    unlinkat(directory->writable, name, is_directory ? AT_REMOVEDIR : 0);
}

/// Shows a new file or directory in the place of the former. Since Linux 6.5 neither is missing at any moment.
static bool replace_entry(const struct devrun_followed *directory, const char *name) {
  if (devrun_attach_copy(directory->before, name, directory->after, name, MOVE_MOUNT_BENEATH) < 0) return false;
  if (fchdir(directory->after)) return false;
  return syscall(SYS_umount2, name, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
}

/// Makes an entry what it is on the machine.
static void compare(const struct plan *plan, const struct devrun_followed *directory, const char *name) {
  if (strcmp(name, temporary_name) == 0 || is_own(plan, directory, name)) return;
  struct stat machine, view;
  bool exists = look(directory->before, name, &machine);
  bool is_shown = look(directory->after, name, &view);
  if (exists && is_shown && S_ISLNK(machine.st_mode) && S_ISLNK(view.st_mode)) return show_link(directory, name);
  if (exists && is_shown && machine.st_dev == view.st_dev && machine.st_ino == view.st_ino) return;
  if (exists && is_shown && !S_ISLNK(machine.st_mode) && !S_ISLNK(view.st_mode)
      && S_ISDIR(machine.st_mode) == S_ISDIR(view.st_mode) && replace_entry(directory, name))
    return;
  if (is_shown) remove_entry(directory, name, &view);
  if (exists) add_entry(directory, name, &machine);
}

// MARK: - All entries

/// An entry as getdents64(2) writes it.
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

static void compare_listed(const struct plan *plan, const struct devrun_followed *directory, int listed) {
  int list = openat(listed, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list < 0) return;
  alignas(struct entry) char buffer[4096];
  for (;;) {
    long count = syscall(SYS_getdents64, list, buffer, sizeof buffer);
    if (count <= 0) break;
    for (long at = 0; at < count;) {
      const struct entry *entry = (const struct entry *)(buffer + at);
      if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) compare(plan, directory, entry->name);
      at += entry->size;
    }
  }
  close(list);
}

/// What came first, then what is gone.
static void compare_all(const struct plan *plan, const struct devrun_following *following) {
  for (size_t i = 0; i < following->count; i++) {
    const struct devrun_followed *directory = &following->directories[i];
    compare_listed(plan, directory, directory->before);
    compare_listed(plan, directory, directory->after);
  }
}

// MARK: - The process

static void take_events(const struct plan *plan, const struct devrun_following *following) {
  alignas(struct inotify_event) char buffer[4096];
  ssize_t count;
  while ((count = read(following->notifications, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < count;) {
      const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
      at += (ssize_t)(sizeof *event + event->len);
      if (event->mask & IN_Q_OVERFLOW) compare_all(plan, following);
      if (event->len == 0) continue;
      for (size_t i = 0; i < following->count; i++)
        if (following->directories[i].watch == event->wd) compare(plan, &following->directories[i], event->name);
    }
  }
}

/// Closes all descriptors but those of the list, which it sorts.
static void close_others(int *kept, size_t count) {
  for (size_t i = 1; i < count; i++)
    for (size_t j = i; j > 0 && kept[j] < kept[j - 1]; j--) {
      int lower = kept[j];
      kept[j] = kept[j - 1];
      kept[j - 1] = lower;
    }
  unsigned next = 0;
  for (size_t i = 0; i < count; i++) {
    if ((unsigned)kept[i] > next) devrun_close_range(next, (unsigned)kept[i] - 1);
    next = (unsigned)kept[i] + 1;
  }
  devrun_close_range(next, ~0U);
}

/// Follows until the keeper ends.
static _Noreturn void follow(
  const struct plan *plan, const struct devrun_following *following, pid_t keeper, int keeper_end, int ready) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  prctl(PR_SET_NAME, "devrun-view", 0, 0, 0);
  // In the job's group it would count as a process that the command has left running. If the keeper is gone, this fails.
  if (setpgid(0, keeper) || chdir("/")) _exit(1);
  umask(0);
  int kept[3 * DEVRUN_MOST_FOLLOWED + 3] = {keeper_end, ready, following->notifications};
  size_t count = 3;
  for (size_t i = 0; i < following->count; i++) {
    kept[count++] = following->directories[i].before;
    kept[count++] = following->directories[i].after;
    kept[count++] = following->directories[i].writable;
  }
  close_others(kept, count);
  // The steps were planned some time ago.
  compare_all(plan, following);
  close(ready);
  for (;;) {
    struct pollfd sources[] = {
      {.fd = keeper_end, .events = POLLIN}, {.fd = following->notifications, .events = POLLIN}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR) _exit(1);
    if (sources[0].revents != 0) _exit(0);
    if (sources[1].revents != 0) take_events(plan, following);
  }
}

void devrun_start_following(
  struct devrun_following *following, const struct devrun_mount_step *steps, size_t count) {
  if (following->count > 0) {
    pid_t keeper = getppid();
    int ready[2] = {-1, -1};
    int keeper_end = devrun_pidfd_open(keeper, false);
    if (keeper_end >= 0 && devrun_pipe(ready) == 0) {
      // Not fork(2): its child would be the command's, which waits for no child that it has not made.
      long follower = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
      if (follower == 0) {
        const struct plan plan = {.steps = steps, .count = count};
        follow(&plan, following, keeper, keeper_end, ready[1]);
      }
      close(ready[1]);
      char byte;
      while (read(ready[0], &byte, 1) < 0 && errno == EINTR);
      close(ready[0]);
    }
    if (keeper_end >= 0) close(keeper_end);
  }
  for (size_t i = 0; i < following->count; i++) {
    close(following->directories[i].before);
    close(following->directories[i].after);
    close(following->directories[i].writable);
  }
  if (following->notifications >= 0) close(following->notifications);
}
