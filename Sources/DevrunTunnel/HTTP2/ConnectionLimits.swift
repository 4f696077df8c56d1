/// How much an end of the tunnel is ready to hold: windows, streams, buffers. All sizes are in bytes.
///
/// What a peer can make this end hold is bounded: a stalled stream holds about twice its base window and one outbound
/// buffer, and all streams together no more than the pool above that. The connection's window bounds nothing: NIOHTTP2
/// tops it up when data arrives, not when it is consumed, so that one stalled stream never holds up another.
public struct ConnectionLimits: Sendable, Hashable {
  /// What every stream's peer may send before it is read (SETTINGS_INITIAL_WINDOW_SIZE).
  public var baseWindow: Int
  /// What the window of a stream that is read promptly grows to.
  public var maximumWindow: Int
  /// What all streams together may have above their base windows.
  public var windowPool: Int
  /// What the peer may have in flight on all streams together.
  public var connectionWindow: Int
  /// The largest DATA frame that the peer may send (SETTINGS_MAX_FRAME_SIZE).
  ///
  /// Large frames are cheaper, but what is held of one keeps the whole buffer that it was read into.
  public var frameSize: Int
  /// How many streams the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS).
  public var maximumStreams: Int
  /// How much may wait to be sent, on a stream or to a socket, before no more is read for it.
  public var outboundBuffer: Int
  /// How much is read from a socket at once.
  public var readSize: Int
  /// The kernel's buffers of every socket that is relayed (SO_RCVBUF, SO_SNDBUF), each way.
  ///
  /// They are set because they count against the container's memory, and because NIO takes all that the kernel holds
  /// at once when the peer has ended, asked or not.
  public var socketBuffer: Int

  /// What suits a developer's machine: throughput first.
  public static let unconstrained = fitting(memory: 512 << 20)

  /// What suits a process that may use so many bytes of memory.
  ///
  /// At 32 MiB a hundred stalled connections and a thousand idle ones fit, while a few busy ones have a megabyte each
  /// in flight.
  public static func fitting(memory: Int) -> ConnectionLimits {
    func share(_ part: Int, _ range: ClosedRange<Int>) -> Int {
      min(max(memory / part, range.lowerBound), range.upperBound)
    }
    return ConnectionLimits(
      baseWindow: share(2048, 16 << 10...256 << 10),
      maximumWindow: share(32, 256 << 10...4 << 20),
      windowPool: share(16, 1 << 20...32 << 20),
      connectionWindow: share(8, 1 << 20...64 << 20),
      frameSize: share(2048, 16 << 10...64 << 10),
      maximumStreams: share(16 << 10, 512...10_000),
      outboundBuffer: share(2048, 16 << 10...256 << 10),
      readSize: share(2048, 16 << 10...64 << 10),
      socketBuffer: share(512, 64 << 10...256 << 10))
  }
}
