/// How much an end of the tunnel is ready to hold: windows, streams, frames.
///
/// What a peer can make this end hold is at most the number of stalled streams times the stream window, for NIOHTTP2 tops
/// up the connection's window when data arrives, not when it is consumed (so one stalled stream never holds up another).
public struct ConnectionLimits: Sendable, Hashable {
  /// What one stream's peer may send before it is read, in bytes (SETTINGS_INITIAL_WINDOW_SIZE).
  public var streamWindow: Int
  /// What the peer may have in flight on all streams together, in bytes.
  public var connectionWindow: Int
  /// How many streams the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS).
  public var maximumStreams: Int
  /// How much may wait on one stream to be sent before it counts as not writable, in bytes.
  public var outboundBuffer: Int
  /// The kernel's receive buffer of every TCP connection that is relayed, in bytes (SO_RCVBUF).
  ///
  /// It is set because NIO takes all that the kernel holds at once when the peer has ended, asked or not.
  public var socketReceiveBuffer: Int

  /// Limits of the given sizes in bytes.
  public init(
    streamWindow: Int, connectionWindow: Int, maximumStreams: Int, outboundBuffer: Int, socketReceiveBuffer: Int
  ) {
    self.streamWindow = streamWindow
    self.connectionWindow = connectionWindow
    self.maximumStreams = maximumStreams
    self.outboundBuffer = outboundBuffer
    self.socketReceiveBuffer = socketReceiveBuffer
  }

  /// What suits a developer's machine: throughput first.
  public static let unconstrained = ConnectionLimits(
    streamWindow: 4 << 20, connectionWindow: 64 << 20, maximumStreams: 10_000, outboundBuffer: 256 << 10,
    socketReceiveBuffer: 256 << 10)

  /// What suits a process that may use so many bytes of memory; `nil` means that nothing limits it.
  ///
  /// Three quarters of the memory are left to the program itself and to what a connection costs without any data.
  public static func fitting(memory: Int?) -> ConnectionLimits {
    guard let memory else { return .unconstrained }
    func share(_ part: Int, _ range: ClosedRange<Int>) -> Int {
      min(max(memory / part, range.lowerBound), range.upperBound)
    }
    return ConnectionLimits(
      streamWindow: share(256, 64 << 10...4 << 20),
      connectionWindow: share(8, 1 << 20...64 << 20),
      maximumStreams: share(16 << 10, 512...10_000),
      outboundBuffer: share(1024, 32 << 10...256 << 10),
      socketReceiveBuffer: share(512, 64 << 10...256 << 10))
  }
}
