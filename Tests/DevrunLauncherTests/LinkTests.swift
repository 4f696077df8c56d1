import DevrunSystem
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("The link of front and keeper")
struct LinkTests {
  private func ends() throws -> (keeper: Link, front: Link) {
    let (keeper, front) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    return (Link(descriptor: keeper), Link(descriptor: front))
  }

  @Test("carries the front's messages, and then tells that the front is gone")
  func frontMessage() throws {
    let (keeper, front) = try ends()
    try front.send(.signal(SIGTERM, groupWide: true))
    try front.send(.heard)
    front.descriptor.close()
    #expect(try keeper.receiveFromFront() == .signal(SIGTERM, groupWide: true))
    #expect(try keeper.receiveFromFront() == .heard)
    #expect(try keeper.receiveFromFront() == nil)
  }

  @Test("gives the keeper's last word also when the keeper has gone without hearing the front's")
  func lastWord() throws {
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
