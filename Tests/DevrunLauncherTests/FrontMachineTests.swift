import DevrunPlan
import DevrunSystem
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("State machine of the front")
struct FrontMachineTests {
  private func running(hasJobControl: Bool = true) -> FrontMachine {
    var machine = FrontMachine(hasJobControl: hasJobControl)
    #expect(machine.handle(.message(.started(1))) == [.tell(.heard)])
    return machine
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGWINCH, SIGUSR1, SIGCONT], [true, false])
  func `The front forwards every signal to the keeper`(number: Int32, groupWide: Bool) {
    var machine = running()
    #expect(machine.handle(.signal(number, groupWide: groupWide)) == [.tell(.signal(number, groupWide: groupWide))])
  }

  @Test func `A group-wide signal from before the child's start counts as not received by the child`() {
    var machine = FrontMachine(hasJobControl: true)
    #expect(machine.handle(.signal(SIGTERM, groupWide: true)) == [.tell(.signal(SIGTERM, groupWide: false))])
  }

  @Test(arguments: [SIGTSTP, SIGTTIN, SIGTTOU])
  func `A stop signal before the child's start stops the front only under job control`(number: Int32) {
    var machine = FrontMachine(hasJobControl: true)
    #expect(machine.handle(.signal(number, groupWide: true)) == [.stop(number)])
    var orphan = FrontMachine(hasJobControl: false)
    #expect(orphan.handle(.signal(number, groupWide: true)) == [])
  }

  @Test func `The front stops with the child's stop signal once it is idle`() {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.awaitsIdle)
    #expect(machine.handle(.idle) == [.stop(SIGTSTP)])
    #expect(!machine.awaitsIdle)
  }

  @Test(arguments: [SIGTSTP, SIGTTIN, SIGTTOU])
  func `A stop signal after the child's end stops the front itself`(number: Int32) {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.handle(.message(.childEnded)) == [])
    #expect(!machine.awaitsIdle)
    #expect(machine.handle(.signal(number, groupWide: true)) == [.stop(number)])
    #expect(machine.handle(.signal(SIGTERM, groupWide: true)) == [.tell(.signal(SIGTERM, groupWide: false))])
  }

  @Test func `The front does not stop if the child has already continued`() {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.handle(.message(.continued)) == [])
    #expect(!machine.awaitsIdle)
    #expect(machine.handle(.idle) == [])
  }

  @Test func `Without job control, the front continues a child that SIGTSTP has stopped`() {
    var machine = running(hasJobControl: false)
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [.tell(.signal(SIGCONT, groupWide: false))])
    #expect(machine.handle(.message(.stopped(SIGSTOP))) == [])
    #expect(machine.handle(.idle) == [.stop(SIGSTOP)])
  }

  @Test func `The front ends with the keeper's status, reports a lost keeper and does not forward SIGCHLD`() {
    var machine = running()
    #expect(machine.handle(.message(.finished(.exited(7)))) == [.end(.exited(7))])
    #expect(machine.handle(.keeperGone) == [.endChild, .reportLoss])
    #expect(machine.handle(.message(.childEnded)) == [])
    #expect(machine.handle(.keeperGone) == [.reportLoss])
    #expect(machine.handle(.signal(SIGCHLD, groupWide: false)) == [])
  }

  @Test(
    arguments: [
      .started(12), .stopped(SIGTSTP), .continued, .childEnded, .finished(.exited(255)),
      .finished(.killed(SIGSEGV, coreDumped: true)),
    ] as [KeeperMessage])
  func `The front receives each message of the keeper as it was sent`(message: KeeperMessage) throws {
    let (one, other) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    try Link(descriptor: one).send(message)
    #expect(try Link(descriptor: other).receiveFromKeeper() == message)
    one.close()
    #expect(try Link(descriptor: other).receiveFromKeeper() == nil)
  }
}
