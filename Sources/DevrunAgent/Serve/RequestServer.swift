internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunSystem
internal import DevrunTunnel
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Serves the streams that devrun opens: connections to the cluster, and questions about the container.
struct RequestServer: Sendable {
  /// The largest environment that is read, in bytes. devrun takes no larger one.
  private static let maximumEnvironment = 8 << 20
  /// The largest resolv.conf that is read, in bytes.
  private static let maximumResolvConf = 64 << 10

  let sockets: SocketDialer
  let resolver: NameResolver
  let threads: NIOThreadPool
  let environmentFile: String
  let archives: ArchiveOpening
  /// Called with each connection that was made for devrun, on the event loop.
  let connected: @Sendable (any Channel) -> Void

  /// Serves one stream.
  func serve(_ request: StreamRequest, on stream: any Channel) {
    switch request {
    case .connect(let authority): StreamServer.join(stream, to: dial(authority))
    case .get("/environment", _):
      answer(of: RawString(environmentFile), on: stream) { try Self.content(of: $0, limit: Self.maximumEnvironment) }
    case .get("/resolv.conf", _):
      // A container without the file has no name servers either.
      answer(of: "/etc/resolv.conf", on: stream) { (try? Self.content(of: $0, limit: Self.maximumResolvConf)) ?? [] }
    case .get("/ports/forbidden", let query):
      answer(of: RawString(query["ports"] ?? []), on: stream) { ports in
        PortList.encode(PortList.decode(ports.bytes).filter { PortTrial.isForbidden(Int($0)) })
      }
    case .get("/volumes", let query):
      sendArchive(query["path"] ?? [], query["select"], on: stream)
    case .get("/volumes/size", let query):
      answer(of: RawString(query["path"] ?? []), on: stream) { path in
        try FolderSize(path: path, selection: query["select"].flatMap { PathSelection($0) }).line
      }
    case .get("/volumes/changes", let query): sendChanges(NULSeparated.decode(query["paths"] ?? []), on: stream)
    case .get(let path, _): StreamServer.refuse("there is no \(path)", status: "404", on: stream)
    case .unknown(let what): StreamServer.refuse("\(what) is not served", status: "400", on: stream)
    }
  }

  private func dial(_ authority: Authority) -> EventLoopFuture<Result<any Channel, DialFailure>> {
    resolver.resolve(authority, on: sockets.eventLoop).flatMap { addresses in
      switch addresses {
      case .success(let addresses): sockets.connect(to: addresses)
      case .failure(let failure): sockets.eventLoop.makeSucceededFuture(.failure(failure))
      }
    }.map { result in
      if case .success(let channel) = result { connected(channel) }
      return result
    }
  }

  private static func content(of path: RawString, limit: Int) throws(Errno) -> [UInt8] {
    try Descriptor.open(path, O_RDONLY).readToEnd(limit: limit)
  }

  /// Answers with a document that is made of what is at a path.
  private func answer(
    of path: RawString, on stream: any Channel, _ document: @escaping @Sendable (RawString) throws -> [UInt8]
  ) {
    threads.runIfActive(eventLoop: stream.eventLoop) { try document(path) }.whenComplete { result in
      switch result {
      case .success(let bytes): StreamServer.answer(ByteBuffer(bytes: bytes), on: stream)
      case .failure(let error): StreamServer.refuse("\(path): \(error)", status: "500", on: stream)
      }
    }
  }

  private func sendChanges(_ paths: [RawString], on stream: any Channel) {
    do {
      let handler = VolumeChangesHandler(watch: try VolumeWatch(paths: paths))
      StreamServer.begin(on: stream)
      try stream.pipeline.syncOperations.addHandler(handler)
    } catch {
      StreamServer.refuse("watching volumes: \(error)", status: "500", on: stream)
    }
  }

  private func sendArchive(_ path: [UInt8], _ selection: [UInt8]?, on stream: any Channel) {
    threads.runIfActive(eventLoop: stream.eventLoop) { [archives] in
      try archives(path, selection)
    }.whenComplete { result in
      switch result {
      case .success(let source):
        StreamServer.begin(on: stream)
        let handler = ArchiveSendHandler(source: source, threads: threads)
        do {
          try stream.pipeline.syncOperations.addHandler(handler)
        } catch {
          stream.close(promise: nil)
        }
      case .failure(let error):
        StreamServer.refuse("\(RawString(path)): \(error)", status: "404", on: stream)
      }
    }
  }
}
