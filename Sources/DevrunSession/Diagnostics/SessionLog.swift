internal import DevrunCore
internal import DevrunSystem
internal import Foundation
internal import Glibc
internal import Synchronization

/// The log file of a session: every event with its time and level.
///
/// What comes before the file is opened is kept for it: devrun parts into two processes, and the log is the keeper's.
final class SessionLog: Reporter {
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
    let limit: Int

    /// Writes an entry in one piece: the time, the level, the text; further lines of it are indented.
    mutating func write(_ entry: Entry) {
      guard case .open(let descriptor, let path, let size) = file, size < limit else { return }
      let lines = entry.text.printable.split(separator: "\n")
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

  private let state: Mutex<State>

  /// A log without a file yet.
  ///
  /// - Parameter limit: how many bytes the log may hold.
  init(limit: Int) { self.state = Mutex(State(limit: limit)) }

  /// The log's file; `nil` where there is none.
  var path: String? {
    state.withLock { state in
      switch state.file {
      case .awaited: nil
      case .open(_, let path, _): path
      case .closed(let path): path
      }
    }
  }

  /// Opens the session's file. Where that fails there is no log.
  ///
  /// - Parameters:
  ///   - session: the session's name.
  ///   - environment: this process's, for `TMPDIR`.
  /// - Returns: what is to be reported of it.
  func open(session: String, environment: EnvironmentVariables) -> [ReportEvent] {
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
      return passedOver.map {
        .detail("\($0) is not a folder of mode 0700 of this user's: the log is elsewhere")
      } + [.detail("the log of this session: \(path)")]
    case .failure(let error):
      state.withLock { $0.file = .closed(path: nil) }
      return [.detail("\(error)")]
    }
  }

  /// Writes the event.
  func report(_ event: ReportEvent) {
    switch event {
    case .step(let text): write(.step, text)
    case .progress(let text, let done, let total):
      if done >= total { write(.debug, "\(text): \(ByteCount.text(total))") }
    case .waiting(let text): write(.step, text)
    case .fact(let text), .answer(let text), .record(let text): write(.info, text)
    case .warning(let message): write(.warn, message.description)
    case .failure(let message): write(.error, message.description)
    case .detail(let text): write(.debug, text)
    case .agentLine(let pod, let line): write(.agent, "pod/\(pod): \(line)")
    case .idle: break
    }
  }

  /// Ends the log. What is reported from now on is not written.
  func close() {
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

  private func write(_ level: Level, _ text: String) {
    let entry = Entry(time: .now, level: level, text: text)
    state.withLock { state in
      if case .awaited(let entries) = state.file {
        state.file = .awaited(entries + [entry])
      } else {
        state.write(entry)
      }
    }
  }
}
