import DevrunPlan
import DevrunSystem
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Link between front and keeper")
struct LinkTests {
  private func ends() throws -> (keeper: Link, front: Link) {
    let (keeper, front) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    return (Link(descriptor: keeper), Link(descriptor: front))
  }

  @Test func `The keeper receives the front's messages in order and then its end`() throws {
    let (keeper, front) = try ends()
    try front.send(.signal(SIGTERM, groupWide: true))
    try front.send(.received(SIGHUP))
    try front.send(.heard)
    front.descriptor.close()
    #expect(try keeper.receiveFromFront() == .signal(SIGTERM, groupWide: true))
    #expect(try keeper.receiveFromFront() == .received(SIGHUP))
    #expect(try keeper.receiveFromFront() == .heard)
    #expect(try keeper.receiveFromFront() == nil)
  }

  @Test func `The front receives the keeper's last messages even if the keeper left some unread`() throws {
    let (keeper, front) = try ends()
    try keeper.send(.childEnded)
    try keeper.send(.finished(.exited(7)))
    try front.send(.signal(SIGCONT, groupWide: false))
    keeper.descriptor.close()
    #expect(try front.receiveFromKeeper() == .childEnded)
    #expect(try front.receiveFromKeeper() == .finished(.exited(7)))
    #expect(try front.receiveFromKeeper() == nil)
    // To tell who is gone is no failure.
    try front.send(.signal(SIGCONT, groupWide: false))
  }
}
