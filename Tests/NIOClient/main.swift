import Glibc
import NIOCore
import NIOPosix

// NIOClient HOST PORT: connects as programs on SwiftNIO do (non-blocking, by epoll), and prints what it reads, or the
// error.

/// Prints what comes.
final class Printing: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    print(String(buffer: unwrapInboundIn(data)), terminator: "")
  }
}

let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let arguments = CommandLine.arguments
do {
  let channel = try ClientBootstrap(group: group)
    .channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Printing()) }
    }
    .connect(host: arguments[1], port: Int(arguments[2]) ?? 80).wait()
  try channel.closeFuture.wait()
} catch let error as NIOConnectionError {
  let codes = error.connectionErrors.map { ($0.error as? IOError)?.errnoCode ?? 0 }
  print(codes.allSatisfy { $0 == ECONNREFUSED } ? "refused" : "\(error)")
}
try group.syncShutdownGracefully()
