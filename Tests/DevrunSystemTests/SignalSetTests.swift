import DevrunSystem
import Glibc
import Testing

@Suite("Set of signals")
struct SignalSetTests {
  @Test func `A set has the signals that it was made of`() {
    let set = SignalSet([SIGINT, SIGTERM])
    #expect(set.contains(SIGINT) && set.contains(SIGTERM) && !set.contains(SIGHUP))
    #expect(!SignalSet().contains(SIGINT))
    #expect((1...31).allSatisfy { SignalSet.all.contains($0) })
  }

  @Test func `Signals are blocked in addition to others until they are unblocked`() throws {
    let before = try SignalSet.blocked
    let (first, second) = (SignalSet([SIGUSR1]), SignalSet([SIGUSR2]))
    try first.block()
    let between = try second.block()
    #expect(between.contains(SIGUSR1) && between.contains(SIGUSR2) == before.contains(SIGUSR2))
    #expect(try SignalSet.blocked.contains(SIGUSR1) && SignalSet.blocked.contains(SIGUSR2))
    let after = try first.unblock()
    #expect(after.contains(SIGUSR1) && after.contains(SIGUSR2))
    #expect(try !SignalSet.blocked.contains(SIGUSR1) && SignalSet.blocked.contains(SIGUSR2))
    try second.unblock()
    if before.contains(SIGUSR1) { try first.block() }
    if before.contains(SIGUSR2) { try second.block() }
  }

  @Test func `A blocked signal of this thread is waited for`() throws {
    let set = SignalSet([SIGUSR1, SIGUSR2])
    let before = try set.block()
    pthread_kill(pthread_self(), SIGUSR2)
    #expect(try set.wait() == SIGUSR2)
    for signal in [SIGUSR1, SIGUSR2] where !before.contains(signal) { try SignalSet([signal]).unblock() }
  }
}
