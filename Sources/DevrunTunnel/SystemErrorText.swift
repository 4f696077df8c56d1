internal import Glibc

/// The kernel's words for an errno.
func systemErrorText(_ errno: Int32) -> String { String(cString: strerror(errno)) }
