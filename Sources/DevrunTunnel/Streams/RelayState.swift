// Two byte streams are joined: what one side says ends up on the other, and so does how it ends.
//
// Each side has an input (what comes from it) and an output (what goes to it). TCP and HTTP/2 both let each direction
// end on its own (FIN, END_STREAM), and both have a way to break off (RST, RST_STREAM). The rules:
//
// - The end of one side's input closes the other side's output, and nothing else: the opposite direction goes on.
// - When both directions have ended, both sides close by themselves.
// - A side that fails, or closes without having ended, has broken off: the other side is reset, so that
//   its peer cannot take what it got for the whole.
// - A side without half-close ends both directions at once, by closing. Its failures come before that. The other side
//   then gets the end, and is broken off if it goes on sending.

/// One of the two joined streams.
enum RelaySide: Sendable, Hashable, CaseIterable {
  case near
  case far

  var other: RelaySide { self == .near ? .far : .near }
}

/// What is to be done to a joined stream.
enum RelayAction: Sendable, Hashable {
  /// Nothing more will be sent to this side; what it sends is still wanted.
  case closeOutput(RelaySide)
  /// Break this side off, so that its peer sees it.
  case reset(RelaySide)
  /// Await the end of what this side sends: nobody takes it any more, so that the side is broken off by each byte.
  case drain(RelaySide)
}

/// How far two joined streams have ended.
struct RelayState: Sendable {
  private struct Ends: Sendable {
    /// This side has sent all that it had to say.
    var inputEnded = false
    /// This side was told that nothing more will come.
    var outputClosed = false
    /// This side is gone.
    var gone = false
  }

  private var near = Ends()
  private var far = Ends()
  /// The sides that have no half-close.
  private let wholes: Set<RelaySide>

  init(wholes: Set<RelaySide> = []) { self.wholes = wholes }

  private subscript(side: RelaySide) -> Ends {
    get { side == .near ? near : far }
    set { if side == .near { near = newValue } else { far = newValue } }
  }

  /// The side's peer will send no more.
  mutating func inputEnded(on side: RelaySide) -> [RelayAction] {
    guard !self[side].inputEnded, !self[side].gone else { return [] }
    self[side].inputEnded = true
    guard !self[side.other].gone, !self[side.other].outputClosed else { return [] }
    self[side.other].outputClosed = true
    return [.closeOutput(side.other)]
  }

  /// The side broke: its peer reset it, or a write failed.
  mutating func failed(on side: RelaySide) -> [RelayAction] {
    guard !self[side].gone else { return [] }
    self[side].gone = true
    var actions: [RelayAction] = [.reset(side)]
    if !self[side.other].gone {
      self[side.other].gone = true
      actions.append(.reset(side.other))
    }
    return actions
  }

  /// The side's channel has closed. Before both of its directions have ended that means that it broke off.
  mutating func closed(on side: RelaySide) -> [RelayAction] {
    guard !self[side].gone else { return [] }
    let complete = self[side].inputEnded && self[side].outputClosed
    self[side].gone = true
    if wholes.contains(side), !self[side.other].gone {
      self[side].inputEnded = true
      guard !self[side.other].outputClosed else { return [] }
      self[side.other].outputClosed = true
      return [.closeOutput(side.other)] + (self[side.other].inputEnded ? [] : [.drain(side.other)])
    }
    if complete || self[side.other].gone { return [] }
    self[side.other].gone = true
    return [.reset(side.other)]
  }
}
