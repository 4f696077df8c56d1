import NIOCore
import NIOPosix
import NIOSSL

/// Listens on a port of 127.0.0.1 that the kernel chooses.
///
/// - Parameters:
///   - tls: what a server with TLS is; `nil`: a server without.
///   - addHandlers: makes the pipeline of each connection, behind TLS.
func listenOnLoopback(
  tls: TLSConfiguration? = nil,
  _ addHandlers: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
) async throws -> any Channel {
  let context = try tls.map { try NIOSSLContext(configuration: $0) }
  return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        let pipeline = channel.pipeline.syncOperations
        if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
        try addHandlers(pipeline)
      }
    }
    .bind(host: "127.0.0.1", port: 0).get()
}
