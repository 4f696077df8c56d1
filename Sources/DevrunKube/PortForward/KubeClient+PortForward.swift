public import NIOCore

import DevrunCore
import NIOConcurrencyHelpers
import NIOHTTP1

extension KubeClient {
  /// Opens one connection to a port of a pod: the `portforward` subresource over WebSocket, `v4.channel.k8s.io`.
  ///
  /// The channel takes and gives `ByteBuffer`s. `autoRead` is off, and nothing at all is passed up before the first
  /// `channel.read()`, so that no byte is lost. Add handlers, in `configure` (which runs on the event loop, once) or
  /// later. Set `autoRead` if you want it. Then call `read()`, because setting `autoRead` does not start reading.
  ///
  /// The channel may be there before the node has tried to connect to the port. If the node cannot connect,
  /// `errorCaught` gets `PortForwardError.remote`, and the channel closes. The other errors of `PortForwardError` come
  /// in the same way. The protocol has no half-close: closing closes both directions, and `close(mode: .output)` fails.
  /// `PortForwardEnd` comes as an inbound event before a channel closes that the far side has ended in an orderly way.
  ///
  /// Throws `KubeError` or `PortForwardError` where there is no such pod, no right (`get` and `create` on
  /// `pods/portforward`), or no connection to the API server; what `configure` throws; `CancellationError` where the
  /// task is cancelled.
  public func portForward(
    namespace: String, pod: String, port: UInt16, on eventLoop: any EventLoop,
    configure: @escaping @Sendable (any Channel) throws -> Void = { _ in }
  ) async throws -> any Channel {
    let path = ResourcePath.pods(in: namespace).named(pod).subresource("portforward")
    let words = "forward port \(port) of pods/\(pod) in namespace \(namespace)"
    var hasRenewed = false
    while true {
      let credential = try await credential()
      do {
        return try await open(path.urlPath, port: port, credential: credential, on: eventLoop, configure: configure)
      } catch UpgradeRefusal.status(401, let body) where !hasRenewed {
        guard await credentials.refused(credential) else { throw failure(status: 401, body: body, words: words) }
        hasRenewed = true
      } catch UpgradeRefusal.status(let status, let body) {
        throw failure(status: status, body: body, words: words)
      } catch UpgradeRefusal.invalid(let problem) {
        throw KubeError.unexpectedResponse(request: words, server: server, problem: problem)
      } catch let error as PortForwardError {
        throw error
      } catch let error as KubeError {
        throw error
      } catch let failure as ConfigureFailure {
        throw failure.cause
      } catch {
        try Task.checkCancellation()
        throw KubeError.transport(describe(error), server: server)
      }
    }
  }

  private func open(
    _ path: String, port: UInt16, credential: RequestCredential, on eventLoop: any EventLoop,
    configure: @escaping @Sendable (any Channel) throws -> Void
  ) async throws -> any Channel {
    let attempt = NIOLockedValueBox(Attempt.connecting(nil))
    let uri = serverURL.path + path + "?ports=\(port)"
    let requestHeaders = headers(credential)
    let interval = TimeAmount(options.pingInterval)
    let connected = connector.connect(on: eventLoop, configuration: try tlsConfiguration(credential)) { channel in
      attempt.withLockedValue { attempt in
        if case .ended = attempt { channel.close(promise: nil) } else { attempt = .connecting(channel) }
      }
    }
    let upgraded = connected.flatMap { channel in
      let promise = channel.eventLoop.makePromise(of: Void.self)
      let handler = PortForwardHandler(port: port, pingInterval: interval)
      let upgrade = WebSocketUpgradeHandler(uri: uri, headers: requestHeaders, handler: handler, promise: promise)
      do {
        try channel.pipeline.syncOperations.addHandler(upgrade)
      } catch {
        promise.fail(error)
      }
      let loopBound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
      return promise.futureResult.flatMapThrowing { () -> any Channel in
        if let failure = loopBound.value.earlyFailure { throw failure }
        guard channel.isActive else { throw TransportFailure.dropped("the other side closed it at once") }
        do { try configure(channel) } catch { throw ConfigureFailure(cause: error) }
        return channel
      }.flatMapError { error in
        channel.close().recover { _ in }.flatMapThrowing { throw error }
      }
    }
    let end: @Sendable () -> Void = {
      attempt.withLockedValue { attempt in
        guard case .connecting(let channel) = attempt else { return }
        channel?.close(promise: nil)
        attempt = .ended
      }
    }
    let timer = eventLoop.scheduleTask(in: TimeAmount(options.requestTimeout)) { end() }
    defer { timer.cancel() }
    return try await withTaskCancellationHandler {
      let channel: any Channel
      do {
        channel = try await upgraded.get()
      } catch {
        if case .ended = attempt.withLockedValue({ $0 }) { throw TransportFailure.responseTimeout }
        throw error
      }
      // From now on the channel is the caller's, and neither timer nor cancellation closes it.
      let isLate = attempt.withLockedValue { attempt in
        defer { attempt = .done }
        if case .ended = attempt { return true } else { return false }
      }
      if isLate { throw TransportFailure.responseTimeout }
      return channel
    } onCancel: {
      end()
    }
  }

  /// An error that the caller's own closure threw.
  private struct ConfigureFailure: Error {
    let cause: any Error
  }

  /// How far the opening of a port-forward is.
  private enum Attempt {
    case connecting((any Channel)?)
    /// Given up, because of the time or the task's cancellation.
    case ended
    case done
  }
}
