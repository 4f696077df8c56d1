import DevrunSystem
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("The front")
struct FrontMachineTests {
  private func running(hasJobControl: Bool = true) -> FrontMachine {
    var machine = FrontMachine(hasJobControl: hasJobControl)
    #expect(machine.handle(.message(.started(1))) == [.tell(.heard)])
    return machine
  }

  @Test(
    "hands every signal on to the keeper", arguments: [SIGINT, SIGTERM, SIGWINCH, SIGUSR1, SIGCONT], [true, false])
  func signals(number: Int32, groupWide: Bool) {
    var machine = running()
    #expect(machine.handle(.signal(number, groupWide: groupWide)) == [.tell(.signal(number, groupWide: groupWide))])
  }

  @Test("does not take a signal that came before the child for one that the child has received")
  func signalBeforeChild() {
    var machine = FrontMachine(hasJobControl: true)
    #expect(machine.handle(.signal(SIGTERM, groupWide: true)) == [.tell(.signal(SIGTERM, groupWide: false))])
  }

  @Test("stops itself for the terminal while there is no child", arguments: [SIGTSTP, SIGTTIN, SIGTTOU])
  func stopsAlone(number: Int32) {
    var machine = FrontMachine(hasJobControl: true)
    #expect(machine.handle(.signal(number, groupWide: true)) == [.stop(number)])
    var orphan = FrontMachine(hasJobControl: false)
    #expect(orphan.handle(.signal(number, groupWide: true)) == [])
  }

  @Test("stops as the child did, once nothing else is to be done")
  func stops() {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.awaitsIdle)
    #expect(machine.handle(.idle) == [.stop(SIGTSTP)])
    #expect(!machine.awaitsIdle)
  }

  @Test("stops itself again once the child has ended", arguments: [SIGTSTP, SIGTTIN, SIGTTOU])
  func stopsAfterwards(number: Int32) {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.handle(.message(.childEnded)) == [])
    #expect(!machine.awaitsIdle)
    #expect(machine.handle(.signal(number, groupWide: true)) == [.stop(number)])
    #expect(machine.handle(.signal(SIGTERM, groupWide: true)) == [.tell(.signal(SIGTERM, groupWide: false))])
  }

  @Test("does not stop when the child continues already")
  func continues() {
    var machine = running()
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [])
    #expect(machine.handle(.message(.continued)) == [])
    #expect(!machine.awaitsIdle)
    #expect(machine.handle(.idle) == [])
  }

  @Test("has the child continued where nobody else would")
  func noJobControl() {
    var machine = running(hasJobControl: false)
    #expect(machine.handle(.message(.stopped(SIGTSTP))) == [.tell(.signal(SIGCONT, groupWide: false))])
    #expect(machine.handle(.message(.stopped(SIGSTOP))) == [])
    #expect(machine.handle(.idle) == [.stop(SIGSTOP)])
  }

  @Test("ends as it is told, and says so if the keeper is gone")
  func ends() {
    var machine = running()
    #expect(machine.handle(.message(.finished(.exited(7)))) == [.end(.exited(7))])
    #expect(machine.handle(.keeperGone) == [.reportLoss])
    #expect(machine.handle(.signal(SIGCHLD, groupWide: false)) == [])
  }

  @Test(
    "hears of the keeper what it says",
    arguments: [
      .started(12), .stopped(SIGTSTP), .continued, .childEnded, .finished(.exited(255)),
      .finished(.killed(SIGSEGV, coreDumped: true)),
    ] as [KeeperMessage])
  func messages(message: KeeperMessage) throws {
    let (one, other) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    try Link(descriptor: one).send(message)
    #expect(try Link(descriptor: other).receiveFromKeeper() == message)
    one.close()
    #expect(try Link(descriptor: other).receiveFromKeeper() == nil)
  }
}
