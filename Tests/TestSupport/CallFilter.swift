/// System calls that fail where a test plays a machine or a container that forbids them.
public enum CallFilter {
  /// A program that forbids system calls to what it runs: `forbid NUMBER[@LENGTH][:ERRNO],... COMMAND...`; with a
  /// length, those only whose third argument is that.
  public static let program = """
    #include <errno.h>
    #include <linux/filter.h>
    #include <linux/seccomp.h>
    #include <stddef.h>
    #include <stdlib.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    int main(int count, char **words) {
      struct sock_filter code[64];
      unsigned short length = 0;
      for (char *next = words[1]; *next; next += *next == ',') {
        unsigned number = strtoul(next, &next, 10), error = EPERM, bytes = 0;
        if (*next == '@') bytes = strtoul(next + 1, &next, 10);
        if (*next == ':') error = strtoul(next + 1, &next, 10);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, bytes ? 3 : 1);
        if (bytes) {
          code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
          code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bytes, 0, 1);
        }
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
      }
      code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
      struct sock_fprog program = {length, code};
      if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 1;
      execvp(words[2], words + 2);
      return 2;
    }
    """

  /// What Docker's and containerd's default seccomp profiles refuse to containers without further capabilities, by the
  /// numbers of x86-64. Among them are pivot_root, mount, umount2, unshare, setns, bpf, open_tree, move_mount, fsopen,
  /// pidfd_getfd and mount_setattr; clone3 is unknown (ENOSYS).
  public static let container = "155,165,166,248,250,272,298,308,312,321,323,428,429,430,432,433,435:38,438,442"
}

/// Whether this machine's programs are x86's.
public var is64BitX86: Bool {
  #if arch(x86_64)
    true
  #else
    false
  #endif
}
