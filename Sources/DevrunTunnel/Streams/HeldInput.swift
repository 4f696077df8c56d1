import NIOCore

/// What came in on a stream before anybody asked for it.
///
/// NIO delivers what a peer sent before its end even where reading was not asked for, and an HTTP/2 stream delivers all
/// that it holds at once. Between the accepting and the joining of a stream there is nobody yet to take it.
struct HeldInput {
  /// One thing that came in.
  enum Item {
    case bytes(ByteBuffer)
    case end
  }

  private var items: [Item] = []
  private var released = false

  /// Takes a thing that came in.
  ///
  /// - Returns: the thing, if somebody has asked before and it may go on.
  mutating func receive(_ item: Item) -> Item? {
    if released { return item }
    items.append(item)
    return nil
  }

  /// Somebody asks for input.
  ///
  /// - Returns: what came in before; from now on nothing is held.
  mutating func release() -> [Item] {
    released = true
    defer { items = [] }
    return items
  }
}
