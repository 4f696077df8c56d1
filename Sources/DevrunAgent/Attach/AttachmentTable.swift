internal import DevrunTunnel

/// The tunnels that devrun has attached, each of two connections. Pure.
///
/// A tunnel is complete when both of its connections are there, and over when either has ended. New connections of the
/// cluster go to the tunnel that was completed last: a devrun that comes back after its port-forward was cut takes over
/// from its former self, which the agent may not know to be dead yet.
struct AttachmentTable<Outbound, Inbound> {
  private struct Attachment {
    var name: [UInt8]
    var outbound: Outbound?
    var inbound: Inbound?

    var isComplete: Bool { outbound != nil && inbound != nil }
  }

  /// What an ended tunnel leaves to be closed.
  struct Remains {
    var outbound: Outbound?
    var inbound: Inbound?
  }

  /// In the order of completion, the latest last; incomplete ones may stand anywhere.
  private var attachments: [Attachment] = []

  /// Where new connections of the cluster go.
  var current: Inbound? { attachments.last { $0.isComplete }?.inbound }

  /// All tunnels' connections.
  var all: [Remains] { attachments.map { Remains(outbound: $0.outbound, inbound: $0.inbound) } }

  /// Takes a connection.
  ///
  /// - Returns: the connection of the same tunnel and role that it takes the place of, if there was one.
  mutating func add(outbound: Outbound, to name: [UInt8]) -> Outbound? {
    update(name) { attachment in
      defer { attachment.outbound = outbound }
      return attachment.outbound
    }
  }

  /// Takes a connection.
  ///
  /// - Returns: the connection of the same tunnel and role that it takes the place of, if there was one.
  mutating func add(inbound: Inbound, to name: [UInt8]) -> Inbound? {
    update(name) { attachment in
      defer { attachment.inbound = inbound }
      return attachment.inbound
    }
  }

  /// Gives a tunnel up, if one of its connections is meant.
  mutating func remove(_ name: [UInt8], if isMeant: (Remains) -> Bool) -> Remains? {
    guard let index = attachments.firstIndex(where: { $0.name == name }) else { return nil }
    let remains = Remains(outbound: attachments[index].outbound, inbound: attachments[index].inbound)
    guard isMeant(remains) else { return nil }
    attachments.remove(at: index)
    return remains
  }

  private mutating func update<Result>(_ name: [UInt8], _ body: (inout Attachment) -> Result) -> Result {
    var attachment = Attachment(name: name)
    if let index = attachments.firstIndex(where: { $0.name == name }) { attachment = attachments.remove(at: index) }
    defer { attachments.append(attachment) }
    return body(&attachment)
  }
}
