public import DevrunCore
public import DevrunSystem
internal import Foundation
internal import Glibc
internal import Synchronization

/// A session's log: a file of its own with all that was told, each event with its time and level, without secrets.
///
/// It stands between the session and whoever else is told. What comes before the file is opened is kept for it: devrun
/// parts into two processes, and the log is the keeper's.
public final class SessionLog: Reporter {
  private enum Level: String {
    case error, warn, info, step, debug, agent
  }

  private struct Entry {
    var time: Date
    var level: Level
    var text: String
  }

  private enum File {
    case awaited([Entry])
    case open(file: Descriptor, path: String, size: Int)
    case closed(path: String?)
  }

  private struct State {
    var file = File.awaited([])
    var mask = SecretMask()
    let limit: Int

    /// Writes an entry in one piece: the time, the level, the text; further lines of it are indented.
    mutating func write(_ entry: Entry) {
      guard case .open(let descriptor, let path, let size) = file, size < limit else { return }
      let lines = SessionLog.printable(mask.apply(entry.text)).split(separator: "\n")
      let time = entry.time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
      let level = entry.level.rawValue.padding(toLength: 5, withPad: " ", startingAt: 0)
      let line = "\(time) \(level) \(lines.joined(separator: "\n    "))\n"
      let isFull = size + line.utf8.count > limit
      let bytes = (isFull ? "\(time) warn  the log is full\n" : line).utf8
      // There is no place to report that the disk is full.
      try? descriptor.writeAll(bytes)
      file = .open(file: descriptor, path: path, size: isFull ? limit : size + bytes.count)
    }
  }

  private let next: any Reporter
  private let state: Mutex<State>

  /// A log without a file yet.
  ///
  /// - Parameters:
  ///   - next: who else is told everything.
  ///   - limit: how many bytes the log may hold: a container that writes without end must not fill the disk.
  public init(telling next: any Reporter, limit: Int = 16 << 20) {
    self.next = next
    self.state = Mutex(State(limit: limit))
  }

  /// The log's file; `nil` where there is none.
  public var path: String? {
    state.withLock { state in
      switch state.file {
      case .awaited: nil
      case .open(_, let path, _): path
      case .closed(let path): path
      }
    }
  }

  /// Opens the session's file and tells its path. Where that fails there is no log, which is told; the session goes on.
  ///
  /// - Parameters:
  ///   - session: the session's name.
  ///   - environment: this process's, for `TMPDIR`.
  public func open(session: String, environment: EnvironmentVariables) {
    let opened: Result<(Descriptor, String, [String]), any Error> = Result {
      let folder = try LogFolder(environment: environment)
      let time = Date.now.formatted(.iso8601).replacing("-", with: "").replacing(":", with: "")
      let name = "\(time)-\(session).log"
      return (try folder.create(name), "\(folder.path)/\(name)", folder.passedOver)
    }
    switch opened {
    case .success(let (descriptor, path, passedOver)):
      state.withLock { state in
        guard case .awaited(let entries) = state.file else { return }
        state.file = .open(file: descriptor, path: path, size: 0)
        for entry in entries { state.write(entry) }
      }
      for folder in passedOver {
        report(.detail("\(folder) is not a folder of mode 0700 of this user's: the log is elsewhere"))
      }
      report(.detail("the log of this session: \(path)"))
    case .failure(let error):
      state.withLock { $0.file = .closed(path: nil) }
      report(.detail("\(error)"))
    }
  }

  /// Writes the event, and tells it on.
  public func report(_ event: ReportEvent) {
    switch event {
    case .step(let text): record(.step, text)
    case .progress(let text, let done, let total):
      if done >= total { record(.debug, "\(text): \(ByteCount.text(total))") }
    case .fact(let text): record(.info, text)
    case .warning(let message): record(.warn, message)
    case .detail(let text): record(.debug, text)
    case .agentLine(let pod, let line): record(.agent, "pod/\(pod): \(line)")
    }
    next.report(event)
  }

  /// Writes what ended the session or kept it from beginning. It is told on by others.
  public func record(failure error: any Error) {
    record(.error, (error as? any UserFacingError)?.message ?? ErrorMessage("\(error)"))
  }

  /// Writes a line that only the log has.
  public func record(_ text: String) { record(.info, text) }

  /// Ends the log; what is told from now on is not written.
  public func close() {
    state.withLock { state in
      switch state.file {
      case .awaited: state.file = .closed(path: nil)
      case .open(let descriptor, let path, _):
        descriptor.close()
        state.file = .closed(path: path)
      case .closed: break
      }
    }
  }

  /// From now on these do not appear in the log.
  func mask(_ secrets: [String]) { state.withLock { $0.mask.add(secrets) } }

  /// A text without secrets.
  func masked(_ text: String) -> String { state.withLock(\.mask).apply(text) }

  private func record(_ level: Level, _ message: ErrorMessage) {
    record(level, message.description)
  }

  private func record(_ level: Level, _ text: String) {
    let entry = Entry(time: .now, level: level, text: text)
    state.withLock { state in
      if case .awaited(let entries) = state.file {
        state.file = .awaited(entries + [entry])
      } else {
        state.write(entry)
      }
    }
  }

  /// The text with what a terminal would act on made visible.
  private static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      result += isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
  }
}
