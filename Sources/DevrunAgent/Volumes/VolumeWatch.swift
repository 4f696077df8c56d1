// kubelet renews ConfigMaps, Secrets and tokens by writing all files into a new folder beside the old one and renaming a
// link over `..data` (Kubernetes' pkg/volume/util/atomic_writer.go). That rename is all that is looked for: by inotify(7),
// whose descriptor is read on the event loop like a pipe. A folder without that link, such as one that a sidecar writes to,
// has no versions; that one of its files was written, came or went is all that is reported of it.

internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunSystem
internal import DevrunTunnel
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// An inotify instance on the folders of volumes.
struct VolumeWatch {
  /// The folders, in the order in which they were asked for.
  let paths: [RawString]
  private let descriptor: Int32
  private let indexes: [Int32: Int]
  /// The folders without kubelet's link, by their place.
  private let plain: Set<Int>

  /// Watches folders. One that cannot be watched, or is no folder, never changes.
  ///
  /// - Throws: the error of inotify_init1(2): this node's limit of inotify instances is reached.
  init(paths: [RawString]) throws(Errno) {
    self.paths = paths
    let descriptor = try system { inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC)) }
    self.descriptor = descriptor
    var indexes: [Int32: Int] = [:]
    var plain: Set<Int> = []
    for (index, path) in paths.enumerated() {
      var events = IN_MOVED_TO | IN_ONLYDIR
      if Self.target(of: path) == nil {
        plain.insert(index)
        events |= IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM
      }
      let watch = path.withCString { inotify_add_watch(descriptor, $0, UInt32(events)) }
      if watch >= 0 { indexes[watch] = index }
    }
    self.indexes = indexes
    self.plain = plain
  }

  /// Reads the notifications on the stream's event loop, and calls `changed` there with the place of each folder that was renewed.
  /// The returned channel is to be closed at the end.
  func start(on eventLoop: any EventLoop, changed: @escaping @Sendable (Int) -> Void) -> EventLoopFuture<any Channel> {
    let (indexes, plain) = (indexes, plain)
    return NIOPipeBootstrap(group: eventLoop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        let handler = NotificationHandler { watch, name in
          guard let index = indexes[watch], plain.contains(index) || name == Array("..data".utf8) else { return }
          changed(index)
        }
        try channel.pipeline.syncOperations.addHandler(handler)
      }
    }.takingOwnershipOfDescriptor(input: descriptor).map { $0 }
  }

  /// Where a folder's `..data` leads to; `nil` where it has none.
  func target(_ index: Int) -> RawString? { Self.target(of: paths[index]) }

  private static func target(of path: RawString) -> RawString? {
    try? SymbolicLink.target(of: RawString(path.bytes + Array("/..data".utf8)))
  }
}

/// Takes inotify's notifications apart.
private final class NotificationHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let changed: (_ watch: Int32, _ name: [UInt8]) -> Void

  init(changed: @escaping (_ watch: Int32, _ name: [UInt8]) -> Void) { self.changed = changed }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    // struct inotify_event: wd, mask, cookie, len, and a name of len bytes, padded with NUL.
    while let watch = buffer.readInteger(endianness: .host, as: Int32.self),
      buffer.readBytes(length: 2 * MemoryLayout<UInt32>.size) != nil,
      let length = buffer.readInteger(endianness: .host, as: UInt32.self),
      let name = buffer.readBytes(length: Int(length))
    {
      changed(watch, Array(name.prefix { $0 != 0 }))
    }
  }
}

/// Reports on a stream which volumes were renewed, a ``VolumeChange`` a line: first all that have versions as they are, then
/// each that changes.
final class VolumeChangesHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let watch: VolumeWatch
  private var notifications: (any Channel)?
  /// What is to be told as soon as the peer takes more.
  private var changed: Set<Int>
  /// Whether the volumes were reported as they are.
  private var hasBegun = false
  private var isOver = false

  init(watch: VolumeWatch) {
    self.watch = watch
    changed = Set(watch.paths.indices)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    watch.start(on: context.eventLoop) { index in
      let (handler, context) = bound.value
      handler.changed.insert(index)
      handler.tell(context: context)
    }.whenComplete { result in
      let (handler, context) = bound.value
      switch result {
      case .success(let channel) where !handler.isOver:
        handler.notifications = channel
        handler.tell(context: context)
      case .success(let channel): channel.close(promise: nil)
      case .failure: context.close(promise: nil)
      }
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    tell(context: context)
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    isOver = true
    notifications?.close(promise: nil)
    notifications = nil
  }

  private func tell(context: ChannelHandlerContext) {
    guard !isOver, !changed.isEmpty, context.channel.isWritable else { return }
    var lines = ByteBuffer()
    for index in changed.sorted() {
      guard let version = watch.target(index) ?? (hasBegun ? VolumeChange.withoutVersion : nil) else { continue }
      lines.writeBytes(VolumeChange(index: index, version: version).line)
    }
    changed = []
    hasBegun = true
    if lines.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(lines), promise: nil) }
  }
}
