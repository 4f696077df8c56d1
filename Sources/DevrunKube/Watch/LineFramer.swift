import NIOCore

/// Cuts a stream of bytes into lines, wherever its chunks end.
struct LineFramer {
  private var pending = ByteBuffer()
  /// How many of the pending bytes have been looked at.
  private var searched = 0

  /// Takes the next chunk.
  mutating func append(_ chunk: ByteBuffer) {
    var chunk = chunk
    if pending.readableBytes == 0 {
      pending = chunk
    } else {
      pending.discardReadBytes()
      pending.writeBuffer(&chunk)
    }
  }

  /// The next line without its end; `nil` until more bytes come. Empty lines are left out.
  mutating func next() -> [UInt8]? {
    while true {
      let view = pending.readableBytesView
      guard let end = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) else {
        searched = view.count
        return nil
      }
      let line = Array(view[..<end])
      pending.moveReaderIndex(forwardBy: line.count + 1)
      searched = 0
      if !line.isEmpty { return line }
    }
  }

  /// How many bytes wait for the end of their line.
  var pendingCount: Int { pending.readableBytes }
}
