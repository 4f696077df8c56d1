import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc

/// The files that the child finds in the place of the machine's where it has no mount namespace: its calls that open a
/// file are trapped, and those that would open one of these for reading get the private one.
struct PrivateFiles: Sendable {
  private let files: [(path: [UInt8], replacement: RawString)]
  private let mostBytes: Int
  private let hidden: [[UInt8]]

  /// None.
  init() {
    files = []
    mostBytes = 0
    hidden = []
  }

  /// The single files of a launch plan.
  init(_ plan: LaunchPlan) {
    let candidates: [(RawString, RawString?)] = [
      ("/etc/hosts", plan.hostsFile), ("/etc/nsswitch.conf", plan.nameServiceSwitchFile),
    ]
    // With the final NUL, as the caller's memory has it.
    files = candidates.compactMap { path, file in file.map { (path.bytes + [0], $0) } }
    mostBytes = files.map(\.path.count).max() ?? 0
    // Programs that are older than /run know it as /var/run (FHS 3.0, 5.13).
    hidden = plan.hiddenPaths.flatMap { path in
      path.bytes.starts(with: "/run/".utf8) ? [path.bytes, Array("/var".utf8) + path.bytes] : [path.bytes]
    }
  }

  /// Whether a Unix socket is one that the child must not find: at a hidden path, or below one.
  ///
  /// - Parameter path: the socket's address without its family (unix(7), `sun_path`).
  func hides(socketAt path: Slice<UnsafeMutableRawBufferPointer>) -> Bool {
    hidden.contains { hidden in
      guard path.starts(with: hidden) else { return false }
      let next = path.dropFirst(hidden.count).first
      return next == nil || next == 0 || next == UInt8(ascii: "/")
    }
  }

  /// The descriptor that the caller is to get, and whether it is closed on exec. `nil` if the kernel is to do what it
  /// was asked for.
  ///
  /// - Parameter memory: room for what is read of the caller; at least 32 bytes.
  func replacement(
    for call: devrun_notification, memory: UnsafeMutableRawBufferPointer
  ) -> (file: Descriptor, closeOnExec: Bool)? {
    guard !files.isEmpty else { return nil }
    // The path may end shortly before unreadable memory, which begins with a page.
    let page: UInt64 = 4096
    let address = call.arguments.1
    let first = min(mostBytes, Int(page - address % page))
    var count = devrun_read_memory(call.thread, address, memory.baseAddress, first)
    if count == first, first < mostBytes, memory[first - 1] != 0 {
      let rest = devrun_read_memory(
        call.thread, address + UInt64(first), memory.baseAddress.map { $0 + first }, mostBytes - first)
      count += max(rest, 0)
    }
    guard count > 0, let file = files.first(where: { $0.path.count <= count && memory.starts(with: $0.path) }),
      let flags = flags(of: call), flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY | Self.pathOnly) == O_RDONLY
    else { return nil }
    // If the private file is gone, so is the session: the machine's is right then.
    guard let opened = try? Descriptor.open(file.replacement, O_RDONLY) else { return nil }
    return (opened, flags & O_CLOEXEC != 0)
  }

  /// O_PATH, which Glibc's module does not have.
  private static let pathOnly: Int32 = 0o10000000

  private func flags(of call: devrun_notification) -> Int32? {
    guard call.call == DEVRUN_CALL_OPEN_HOW else { return Int32(truncatingIfNeeded: call.arguments.2) }
    var flags: UInt64 = 0
    let size = MemoryLayout<UInt64>.size
    return devrun_read_memory(call.thread, call.arguments.2, &flags, size) == size
      ? Int32(truncatingIfNeeded: flags) : nil
  }
}
