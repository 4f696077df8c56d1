package import NIOCore
package import NIOHTTP2

/// Sets up the pipeline of a connection of the tunnel for HTTP/2, on both ends.
package enum HTTP2Pipeline {
  /// Adds HTTP/2 to a channel that has carried its preface. Must be called on the channel's event loop.
  ///
  /// - Parameter accept: called with each stream that the peer opens, before anything of it is read.
  package static func add(
    to channel: any Channel, mode: NIOHTTP2Handler.ParserMode, limits: ConnectionLimits, keepalive: Keepalive,
    accept: @escaping @Sendable (any Channel) throws -> Void
  ) throws -> NIOHTTP2Handler.StreamMultiplexer {
    let handler = NIOHTTP2Handler(
      mode: mode, eventLoop: channel.eventLoop, connectionConfiguration: connectionConfiguration(limits),
      streamConfiguration: streamConfiguration(limits)
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.syncOptions?.setOption(.autoRead, value: false)
        try accept(stream)
      }
    }
    try channel.pipeline.syncOperations.addHandlers(handler, KeepaliveHandler(keepalive))
    return try handler.syncMultiplexer()
  }

  private static func connectionConfiguration(
    _ limits: ConnectionLimits
  ) -> NIOHTTP2Handler.ConnectionConfiguration {
    var configuration = NIOHTTP2Handler.ConnectionConfiguration()
    configuration.initialSettings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.maximumStreams),
      HTTP2Setting(parameter: .initialWindowSize, value: limits.baseWindow),
      HTTP2Setting(parameter: .maxFrameSize, value: limits.frameSize),
      HTTP2Setting(parameter: .maxHeaderListSize, value: 32 << 10),
      HTTP2Setting(parameter: .enablePush, value: 0),
    ]
    configuration.targetWindowSize = limits.connectionWindow
    // The peer has shown the secret: these limits are for strangers. Refused dials and aborted connections are normal
    // here, by the hundred when a service is down, and must not end the connection that carries all others.
    configuration.maximumSequentialEmptyDataFrames = .max
    configuration.maximumConnectionGlitches = .max
    configuration.maximumRecentlyResetStreams = 4 * limits.maximumStreams
    configuration.maximumBufferedControlFrames = 100 * limits.maximumStreams
    configuration.controlFrameRateLimit.maximumCount = rateLimit.count
    configuration.controlFrameRateLimit.windowLength = rateLimit.window
    return configuration
  }

  private static func streamConfiguration(_ limits: ConnectionLimits) -> NIOHTTP2Handler.StreamConfiguration {
    var configuration = NIOHTTP2Handler.StreamConfiguration()
    // Streams manage their windows themselves: see StreamWindow.
    configuration.targetWindowSize = 0
    configuration.outboundBufferSizeHighWatermark = limits.outboundBuffer
    configuration.outboundBufferSizeLowWatermark = limits.outboundBuffer / 2
    configuration.streamResetFrameRateLimit.maximumCount = rateLimit.count
    configuration.streamResetFrameRateLimit.windowLength = rateLimit.window
    configuration.streamErrorRateLimit.maximumCount = rateLimit.count
    configuration.streamErrorRateLimit.windowLength = rateLimit.window
    return configuration
  }

  /// In effect no limit: a count within a window that is over at once. A large count alone would not do, because
  /// NIOHTTP2 reserves memory for it.
  private static let rateLimit = (count: 10_000, window: TimeAmount.milliseconds(1))
}
