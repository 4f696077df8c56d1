internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import Synchronization

/// How long a test waits for what must come: a bound on hangs, on a machine that is busy with other tests. It is
/// shorter than the time that a test may take, so a wait fails with its own words.
public let patience = Duration.seconds(120)

/// What is read from a descriptor until its end, as it comes: the output of a process, or what a terminal shows.
public final class Transcript: Sendable {
  /// What came of looking for texts.
  enum Finding: Sendable {
    /// They were read. The last of them ends at this byte.
    case found(end: Int)
    /// The end was read first.
    case ended
    /// They were not read in time.
    case late
  }

  /// Texts that somebody waits for, one after the other; the end itself where there are none.
  private struct Waiter {
    var texts: [[UInt8]]
    var start: Int
    var finding = Latch<Finding>()
  }

  private struct State {
    var bytes: [UInt8] = []
    var isEnded = false
    var failure: Errno?
    var waiters: [Int: Waiter] = [:]
    var nextWaiter = 0

    /// What there is to report to a waiter, if there is anything already.
    func finding(for waiter: Waiter) -> Finding? {
      var rest = bytes.dropFirst(waiter.start)
      for text in waiter.texts {
        guard let found = rest.firstRange(of: text) else { return isEnded ? .ended : nil }
        rest = rest[found.upperBound...]
      }
      return waiter.texts.isEmpty && !isEnded ? nil : .found(end: rest.startIndex)
    }
  }

  private let name: String
  private let companion: Transcript?
  private let state = Mutex(State())

  /// A transcript into which nothing is read yet.
  ///
  /// - Parameters:
  ///   - name: what failures call it.
  ///   - companion: another transcript, which failures show as well.
  init(_ name: String, beside companion: Transcript? = nil) {
    self.name = name
    self.companion = companion
  }

  /// What others write to a FIFO, from the first process that opens it to the last one that closes it.
  ///
  /// - Throws: the error of starting a thread.
  public convenience init(of fifo: Fifo) throws {
    self.init("what is written to \(fifo.path)")
    let path = fifo.path
    try collect { () throws(Errno) in try Descriptor.open(RawString(path), O_RDONLY) }
  }

  /// All bytes that were read so far.
  public var bytes: [UInt8] { state.withLock { $0.bytes } }

  /// All text that was read so far.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Waits until the texts were read, one after the other.
  ///
  /// - Parameter start: how many bytes at the beginning do not count.
  /// - Returns: the number of bytes up to the end of the last text.
  /// - Throws: ``TestFailure`` with what was read, if the end comes first or nothing comes in time.
  @discardableResult
  public func wait(
    for texts: String..., after start: Int = 0, within limit: Duration = patience, fileID: String = #fileID,
    line: Int = #line
  ) async throws -> Int {
    switch try await find(texts, after: start, within: limit) {
    case .found(let end): return end
    case .ended: throw failure("has ended without \(texts)", fileID, line)
    case .late: throw failure("has no \(texts) after \(limit)", fileID, line)
    }
  }

  /// Waits for the end: until no process is left that could write.
  ///
  /// - Returns: all text.
  /// - Throws: ``TestFailure`` with what was read, if the end does not come in time.
  @discardableResult
  public func whole(
    within limit: Duration = patience, fileID: String = #fileID, line: Int = #line
  ) async throws -> String {
    guard case .found = try await find([], after: 0, within: limit) else {
      throw failure("has not ended after \(limit)", fileID, line)
    }
    return text
  }

  /// Waits until the texts were read, one after the other, or the end.
  ///
  /// - Throws: `CancellationError`
  func find(_ texts: [String], after start: Int, within limit: Duration) async throws -> Finding {
    let waiter = Waiter(texts: texts.map { Array($0.utf8) }, start: start)
    let number = state.withLock { state in
      state.nextWaiter += 1
      if let finding = state.finding(for: waiter) {
        waiter.finding.set(finding)
      } else {
        state.waiters[state.nextWaiter] = waiter
      }
      return state.nextWaiter
    }
    let finding = await waiter.finding.wait(for: limit)
    state.withLock { _ = $0.waiters.removeValue(forKey: number) }
    try Task.checkCancellation()
    return finding ?? .late
  }

  /// Starts to read, by a thread, what a descriptor has.
  ///
  /// - Parameter open: gives the descriptor; it may wait.
  /// - Throws: the error of starting a thread.
  func collect(from open: @escaping @Sendable () throws(Errno) -> Descriptor) throws(Errno) {
    try NativeThread.start(name: "test-read") { [self] in
      do throws(Errno) {
        let descriptor = try open()
        while true {
          let bytes = try descriptor.read(upTo: 1 << 16)
          if bytes.isEmpty { return end() }
          change { $0.bytes += bytes }
        }
      } catch {
        // A terminal whose programs have all ended cannot be read any more (EIO).
        end(error.rawValue == EIO ? nil : error)
      }
    }
  }

  /// Notes that nothing more is going to be read.
  func end(_ failure: Errno? = nil) {
    change {
      $0.isEnded = true
      $0.failure = failure
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let met = state.withLock { state in
      body(&state)
      let met = state.waiters.compactMap { number, waiter in
        state.finding(for: waiter).map { (number: number, waiter: waiter, finding: $0) }
      }
      for (number, _, _) in met { state.waiters[number] = nil }
      return met
    }
    for (_, waiter, finding) in met { waiter.finding.set(finding) }
  }

  private func failure(_ what: String, _ fileID: String, _ line: Int) -> TestFailure {
    TestFailure("\(name) \(what) (\(fileID):\(line))\n\(description)")
  }
}

extension Transcript: CustomStringConvertible {
  /// What was read so far, with its name.
  public var description: String {
    let failure = state.withLock { $0.failure }.map { "\n(it could not be read: \($0))" } ?? ""
    let own = "--- \(name):\n\(text)\(failure)"
    return companion.map { "\(own)\n\($0)" } ?? own
  }
}
