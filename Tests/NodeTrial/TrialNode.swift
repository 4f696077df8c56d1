import DevrunSystem
import Foundation
import Minicluster
import NIOCore
import NIOPosix
import Synchronization

/// The pods of a trial.
actor TrialNode {
  private struct Container {
    var process: ContainerProcess
    var output: Output
  }

  private let network: PodNetwork
  private var pods: [String: Sandbox] = [:]
  private var containers: [String: Container] = [:]

  init(network: PodNetwork) { self.network = network }

  func answer(to step: TrialStep) async -> String {
    do {
      return try await perform(step)
    } catch {
      return "error: \(error)"
    }
  }

  private func perform(_ step: TrialStep) async throws -> String {
    switch step.action {
    case .pod:
      let pod = try await Sandbox(hostName: step.pod ?? "", network: network)
      pods[step.pod ?? ""] = pod
      return "\(pod.address) \(pod.process)"
    case .service:
      try await network.add(serviceAddress: step.text ?? "")
      return "added"
    case .start:
      let output = Output()
      let process = try await pod(step).start(launch(step)) { output.add($0) }
      containers[step.container ?? ""] = Container(process: process, output: output)
      return "\(process.process)"
    case .execute:
      let output = Output()
      let process = try await pod(step).execute(launch(step), in: container(step).process) { output.add($0) }
      return "\(await process.end()) \(output.text)"
    case .wait:
      return await container(step).output.wait(for: step.text ?? "") ? "seen" : "ended"
    case .signal:
      container(step).process.signal(Int32(step.number ?? 0))
      return "sent"
    case .end:
      let container = container(step)
      return "\(await container.process.end()) \(container.output.text)"
    case .connect: return try await connect(step)
    case .node: return try run(step.command ?? [])
    case .remove:
      await pod(step).remove()
      return "removed"
    }
  }

  private func pod(_ step: TrialStep) -> Sandbox { pods[step.pod ?? ""]! }

  private func container(_ step: TrialStep) -> Container { containers[step.container ?? ""]! }

  private func launch(_ step: TrialStep) -> Sandbox.Launch {
    Sandbox.Launch(
      command: step.command ?? [], environment: step.environment ?? [:], workingDirectory: step.folder,
      mounts: (step.mounts ?? []).map { pair in
        Sandbox.Launch.Mount(
          source: pair[0], target: pair[1].replacing("!", with: ""), isReadOnly: pair[1].hasPrefix("!"))
      })
  }

  private func connect(_ step: TrialStep) async throws -> String {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let channel = try await pod(step).connect(to: step.number ?? 0, on: loop)
    let answer = loop.makePromise(of: String.self)
    try await channel.eventLoop.submit { try channel.pipeline.syncOperations.addHandler(Reader(answer)) }.get()
    try await channel.setOption(.autoRead, value: true).get()
    channel.read()
    return try await answer.futureResult.get()
  }

  /// Runs a command on the node, until nobody is left that could write to its output.
  private func run(_ command: [String]) throws -> String {
    let words = command.map { "'\($0)'" }.joined(separator: " ")
    guard let stream = popen("exec \(words) 2>&1", "r") else { throw Errno.last }
    var output = ""
    while let line = readLine(from: stream) { output += line }
    return "\(pclose(stream) >> 8) \(output)"
  }

  private func readLine(from stream: UnsafeMutablePointer<FILE>) -> String? {
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    guard getline(&line, &capacity, stream) > 0, let line else { return nil }
    return String(cString: line)
  }
}

/// What a container has written.
private final class Output: Sendable {
  private let state = Mutex((text: "", news: [AsyncStream<Void>.Continuation]()))

  var text: String { state.withLock { $0.text } }

  func add(_ bytes: ByteBuffer) {
    state.withLock { state in
      state.text += String(buffer: bytes)
      for news in state.news { news.yield() }
    }
  }

  func wait(for text: String) async -> Bool {
    let (stream, news) = AsyncStream<Void>.makeStream()
    state.withLock { $0.news.append(news) }
    news.yield()
    for await _ in stream where self.text.contains(text) { return true }
    return false
  }
}

/// Reads until the end of a connection.
private final class Reader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let answer: EventLoopPromise<String>
  private var text = ""

  init(_ answer: EventLoopPromise<String>) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { text += String(buffer: unwrapInboundIn(data)) }

  func channelInactive(context: ChannelHandlerContext) { answer.succeed(text) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }
}
