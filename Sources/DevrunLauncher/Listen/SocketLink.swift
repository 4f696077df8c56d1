import DevrunCore
import DevrunSystem
import Glibc

/// The sockets behind descriptors of processes, as /proc shows them: links to `socket:[INODE]` (proc(5)).
///
/// Nothing is opened or duplicated. A socket lives exactly as long as its owners hold it.
enum SocketLink {
  /// The number of the socket that a descriptor of a thread is. `nil`: the descriptor is no socket.
  ///
  /// - Throws: the kernel's answer: there is no such thread or descriptor, or it may not be looked at from here.
  static func inode(of thread: pid_t, descriptor number: Int32) throws(Errno) -> UInt64? {
    inode(in: try SymbolicLink.target(of: RawString("/proc/\(thread)/fd/\(number)")))
  }

  /// The oldest process that has the socket open, as in `nginx (pid 4711)`. `nil`: no process that can be looked into
  /// from here has it.
  static func owner(of inode: UInt64) -> String? {
    // A process that ends meanwhile, or is another user's, is passed over.
    guard let entries = try? Directory.entries(of: "/proc") else { return nil }
    for process in entries.compactMap({ pid_t($0.description) }).sorted() where holds(process, inode) {
      return "\(program(of: process)) (pid \(process))"
    }
    return nil
  }

  private static func inode(in link: RawString) -> UInt64? {
    let text = link.description
    guard text.hasPrefix("socket:["), text.hasSuffix("]") else { return nil }
    return UInt64(text.dropFirst(8).dropLast())
  }

  private static func holds(_ process: pid_t, _ socket: UInt64) -> Bool {
    guard let folder = try? Descriptor.open(RawString("/proc/\(process)/fd"), O_RDONLY | O_DIRECTORY),
      let entries = try? Directory.entries(of: folder)
    else { return false }
    return entries.contains { entry in (try? SymbolicLink.target(of: entry, in: folder)).flatMap(inode) == socket }
  }

  /// The name that the process gave itself. What could disturb a terminal is left out.
  static func program(of process: pid_t) -> String {
    guard let name = try? Descriptor.open(RawString("/proc/\(process)/comm"), O_RDONLY).readToEnd() else {
      return "a process"
    }
    return String(String.UnicodeScalarView(String(decoding: name, as: UTF8.self).unicodeScalars.filter(isPrinted)))
  }

  private static func isPrinted(_ scalar: Unicode.Scalar) -> Bool {
    ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
  }
}
