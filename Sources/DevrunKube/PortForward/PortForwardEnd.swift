/// The far side of a port-forward has ended the connection in an orderly way: an inbound event of the channel, which closes
/// next. A channel that closes without it is broken.
public struct PortForwardEnd: Sendable, Hashable {
  /// The event.
  public init() {}
}
