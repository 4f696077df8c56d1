import DevrunSystem
import Testing

@Suite("Latch", .timeLimit(.minutes(1)))
struct LatchTests {
  @Test func `A latch returns its first value to all waiting tasks`() async {
    let latch = Latch<Int>()
    #expect(latch.value == nil)
    async let first = latch.wait()
    async let second = latch.uncancelledValue()
    latch.set(1)
    latch.set(2)
    #expect(await first == 1)
    #expect(await second == 1)
    #expect(await latch.wait() == 1)
    #expect(latch.value == 1)
  }

  @Test func `A latch releases a cancelled task without a value`() async {
    let latch = Latch<Int>()
    let result = await withTaskGroup(of: Int?.self) { group in
      group.addTask { await latch.wait() }
      group.cancelAll()
      return await group.next() ?? nil
    }
    #expect(result == nil)
  }

  @Test func `A wait with a time limit ends at the limit, or at once if the latch has a value`() async {
    #expect(await Latch<Int>().wait(for: .milliseconds(1)) == nil)
    let latch = Latch<Int>()
    latch.set(3)
    #expect(await latch.wait(for: .zero) == 3)
  }
}
