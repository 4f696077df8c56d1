internal import DevrunTunnel
internal import NIOCore
internal import NIOPosix

/// A port that is listened on while a tunnel is attached, for `tcpSocket` probes. On one event loop.
struct ReadyPort: Sendable {
  private struct State {
    var isWanted = false
    var isChanging = false
    var listener: (any Channel)?
  }

  private let port: Int?
  private let log: AgentLog
  private let eventLoop: any EventLoop
  private let state: NIOLoopBoundBox<State>

  /// A port that is not listened on yet; `nil` for none.
  init(port: Int?, log: AgentLog, on eventLoop: any EventLoop) {
    self.port = port
    self.log = log
    self.eventLoop = eventLoop
    state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
  }

  /// Begins to listen, or ends.
  func set(_ isReady: Bool) {
    state.value.isWanted = isReady
    change()
  }

  /// Takes the next step to what is wanted. There is one at a time.
  private func change() {
    guard let port, !state.value.isChanging, state.value.isWanted != (state.value.listener != nil) else { return }
    state.value.isChanging = true
    if let listener = state.value.listener {
      listener.close().whenComplete { _ in done(nil) }
      return
    }
    listen(port).whenComplete { result in
      switch result {
      case .success(let listener): done(listener)
      case .failure(let error):
        log("cannot listen on port \(port) for probes: \(reason(of: error))")
        state.value.isWanted = false
        done(nil)
      }
    }
  }

  private func done(_ listener: (any Channel)?) {
    state.value.listener = listener
    state.value.isChanging = false
    change()
  }

  private func listen(_ port: Int) -> EventLoopFuture<any Channel> {
    AnyAddress.listen(port: port, on: eventLoop) {
      ServerBootstrap(group: eventLoop)
        .serverChannelOption(.backlog, value: 16)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(CloseHandler()) }
        }
    }
  }
}

/// Closes a connection as soon as it is made.
private final class CloseHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelActive(context: ChannelHandlerContext) { context.close(promise: nil) }
}
