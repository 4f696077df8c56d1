// Asks probes' questions over the network: HTTP, TCP. Those that start a process are asked by the pod's worker.

internal import DevrunSystem
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// Asks questions from the node, as kubelet does.
enum ProbeQuestion {
  /// Connects to an address.
  static func connect(host: String, port: Int, timeout: Duration) async -> ProbeAnswer {
    do {
      let channel = try await bootstrap(timeout).connect(host: host, port: port).get()
      // Nobody waits for the end of a connection that has proved what it was made for.
      channel.close(promise: nil)
      return .success
    } catch {
      return .failure(words(for: error, host: host, port: port))
    }
  }

  /// Sends a GET.
  static func get(_ question: ProbeHandler.HTTPQuestion, timeout: Duration) async -> ProbeAnswer {
    let url = question.url
    do {
      let asked = try await withTimeout(timeout) { try await send(question, timeout) }
      guard let asked else {
        return .failure("Get \"\(url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
      }
      return (200..<400).contains(asked) ? .success : .failure("HTTP probe failed with statuscode: \(asked)")
    } catch {
      return .failure("Get \"\(url)\": \(words(for: error, host: question.host, port: question.port))")
    }
  }

  private static func bootstrap(_ timeout: Duration) -> ClientBootstrap {
    ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(TimeAmount(timeout))
      .channelOption(.socketOption(.so_reuseaddr), value: 1)
  }

  private static func send(_ question: ProbeHandler.HTTPQuestion, _ timeout: Duration) async throws -> Int {
    let tls = try question.isSecure ? tlsContext() : nil
    let channel = try await bootstrap(timeout).connect(host: question.host, port: question.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil)) }
        try pipeline.addHTTPClientHandlers()
        return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(wrappingChannelSynchronously: channel)
      }
    }
    return try await channel.executeThenClose { inbound, outbound in
      var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target(of: question))
      head.headers.add(name: "Host", value: "\(question.host):\(question.port)")
      head.headers.add(name: "User-Agent", value: "kube-probe/1.34")
      head.headers.add(name: "Accept", value: "*/*")
      head.headers.add(name: "Connection", value: "close")
      for header in question.headers { head.headers.replaceOrAdd(name: header.name, value: header.value) }
      try await outbound.write(.head(head))
      try await outbound.write(.end(nil))
      for try await part in inbound {
        if case .head(let head) = part { return Int(head.status.code) }
      }
      throw ChannelError.eof
    }
  }

  private static func target(of question: ProbeHandler.HTTPQuestion) -> String {
    question.path.hasPrefix("/") ? question.path : "/" + question.path
  }

  /// Kubelet accepts any certificate.
  private static func tlsContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    return try NIOSSLContext(configuration: configuration)
  }

  /// The words of Go's network library for a failure.
  static func words(for error: any Error, host: String, port: Int) -> String {
    if error is NIOConnectionError || error is ChannelError || error is IOError {
      let cause = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
      if case ChannelError.connectTimeout = cause { return "dial tcp \(host):\(port): i/o timeout" }
      if case ChannelError.eof = cause { return "EOF" }
      if let cause = cause as? IOError {
        return "dial tcp \(host):\(port): connect: \(Errno(rawValue: cause.errnoCode).description.lowercased())"
      }
      return "dial tcp \(host):\(port): \(cause)"
    }
    return "\(error)"
  }
}

/// Runs the body for a bounded time. `nil` if it did not end in time, or the task was cancelled; the body's task is
/// cancelled then.
func withTimeout<Result: Sendable>(
  _ timeout: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result? {
  try await withThrowingTaskGroup(of: Result?.self) { group in
    group.addTask { try await body() }
    group.addTask {
      // Cancelled when the body ends first.
      try? await Task.sleep(for: timeout)
      return nil
    }
    defer { group.cancelAll() }
    return try await group.next() ?? nil
  }
}
