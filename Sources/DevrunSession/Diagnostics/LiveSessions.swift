internal import DevrunCore
public import DevrunSystem
internal import DevrunView
internal import Foundation
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// The sessions of this user that live on this machine, and what they say of themselves.
public struct LiveSessions: Sendable {
  /// How long a keeper may take to answer.
  public static let patience = Duration.seconds(5)

  /// What came of asking one session.
  public enum Answer: Sendable, Hashable {
    /// It said what it is.
    case state(SessionSnapshot)
    /// It lives and did not say; `why` in words.
    case silent(session: String, folder: String, why: String)
  }

  private let environment: EnvironmentVariables
  private let patience: Duration

  /// - Parameters:
  ///   - environment: this process's, for the places where sessions have their folders.
  ///   - patience: how long a keeper may take to answer.
  public init(environment: EnvironmentVariables, patience: Duration = Self.patience) {
    self.environment = environment
    self.patience = patience
  }

  /// Asks every session at the same time.
  ///
  /// - Returns: what each said, in the order of their beginning, those that say nothing last.
  /// - Throws: where this process has no event loop any more.
  public func ask() async throws -> [Answer] {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let answers = await withTaskGroup(of: Answer?.self) { tasks in
      for folder in SessionDirectory.folders(environment) { tasks.addTask { await ask(folder, on: group) } }
      return await tasks.reduce(into: [Answer]()) { answers, answer in answer.map { answers.append($0) } }
    }
    try await group.shutdownGracefully()
    return answers.sorted { $0.order < $1.order }
  }

  /// Asks the session of one folder; `nil` where it does not live any more.
  private func ask(_ folder: String, on group: MultiThreadedEventLoopGroup) async -> Answer? {
    let session = String(folder.split(separator: "/").last?.dropFirst(SessionDirectory.prefix.count) ?? "")
    func silent(_ why: String) -> Answer { .silent(session: session, folder: folder, why: why) }
    let bytes: [UInt8]
    do {
      bytes = try await read("\(folder)/\(DiagnosisServer.socketName)", on: group)
    } catch is NoAnswer {
      return silent("its keeper does not answer within \(patience.components.seconds) s; it may be stopped")
    } catch {
      // The socket of a killed keeper is still there, and one that has just begun has none yet.
      return SessionDirectory.isLocked(folder) ? silent("its keeper cannot be asked: \(error)") : nil
    }
    let data = Data(bytes)
    let decoder = SessionSnapshot.decoder
    do {
      let version = try decoder.decode(Version.self, from: data).version
      guard version == SessionSnapshot.currentVersion else {
        return silent(
          "its devrun tells version \(version) of the report, this one reads \(SessionSnapshot.currentVersion)")
      }
      return .state(try decoder.decode(SessionSnapshot.self, from: data))
    } catch {
      return silent("its answer is not understood: \(error)")
    }
  }

  private func read(_ path: String, on group: MultiThreadedEventLoopGroup) async throws -> [UInt8] {
    let loop = group.next()
    let result = loop.makePromise(of: [UInt8].self)
    let deadline = loop.scheduleTask(in: TimeAmount(patience)) { result.fail(NoAnswer()) }
    result.futureResult.whenComplete { _ in deadline.cancel() }
    let connected = ClientBootstrap(group: loop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(ReadHandler(result: result))
      }
    }.connect(unixDomainSocketPath: path)
    connected.whenFailure { result.fail($0) }
    result.futureResult.whenComplete { _ in connected.whenSuccess { $0.close(promise: nil) } }
    return try await result.futureResult.get()
  }

  private struct Version: Decodable { var version: Int }

  private struct NoAnswer: Error {}
}

extension LiveSessions.Answer {
  /// Those that answered first, by their beginning.
  fileprivate var order: String {
    switch self {
    case .state(let state): "0 \(state.since.timeIntervalSince1970) \(state.session)"
    case .silent(let session, _, _): "1 \(session)"
    }
  }
}

/// Collects all bytes of a connection.
private final class ReadHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let result: EventLoopPromise<[UInt8]>
  private var bytes: [UInt8] = []

  init(result: EventLoopPromise<[UInt8]>) { self.result = result }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes += unwrapInboundIn(data).readableBytesView
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    result.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { result.succeed(bytes) }
}

extension SessionDirectory {
  /// The folders of this user's sessions, living or not, wherever they may lie: another shell's environment may name
  /// another place.
  static func folders(_ environment: EnvironmentVariables) -> [String] {
    Set(bases(environment) + ["/run/user/\(geteuid())"]).sorted().flatMap { base in
      // A place that cannot be listed has none.
      let names = (try? Directory.entries(of: RawString(base))) ?? []
      return names.map(\.description).filter { $0.hasPrefix(prefix) }.map { "\(base)/\($0)" }.filter { path in
        var status = stat()
        return lstat(path, &status) == 0 && status.st_uid == geteuid() && status.st_mode & S_IFMT == S_IFDIR
          && status.st_mode & 0o777 == 0o700
      }
    }
  }

  /// Whether a session holds the folder.
  static func isLocked(_ folder: String) -> Bool {
    do throws(Errno) {
      let descriptor = try Descriptor.open(RawString(folder), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      try system { flock(descriptor.number, LOCK_SH | LOCK_NB) }
      return false
    } catch {
      return error == .wouldBlock
    }
  }
}
