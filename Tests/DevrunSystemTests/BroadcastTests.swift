import DevrunSystem
import Testing

@Suite("Broadcast", .timeLimit(.minutes(1)))
struct BroadcastTests {
  private func elements(of stream: AsyncStream<Int>) async -> [Int] {
    await stream.reduce(into: []) { $0.append($1) }
  }

  @Test func `Each listener of a broadcast gets the past first and then what is sent`() async {
    let broadcast = Broadcast<Int>()
    let early = broadcast.stream()
    broadcast.send(1)
    broadcast.send(2)
    let late = broadcast.stream()
    broadcast.send(3)
    broadcast.finish()
    #expect(await elements(of: early) == [1, 2, 3])
    #expect(await elements(of: late) == [1, 2, 3])
  }

  @Test func `The streams of a finished broadcast end after its past`() async {
    let broadcast = Broadcast<Int>()
    let waiting = Task { await elements(of: broadcast.stream()) }
    broadcast.send(1)
    broadcast.finish()
    #expect(await waiting.value == [1])
    #expect(await elements(of: broadcast.stream()) == [1])
  }

  @Test func `A broadcast that takes elements back keeps them from later listeners alone`() async {
    let broadcast = Broadcast<Int>()
    let before = broadcast.stream()
    for element in 1...5 { broadcast.send(element) }
    #expect(broadcast.takeBack { $0.isMultiple(of: 2) } == [2, 4])
    #expect(broadcast.takeBack { $0.isMultiple(of: 2) } == [])
    let after = broadcast.stream()
    broadcast.send(6)
    broadcast.finish()
    #expect(await elements(of: before) == [1, 2, 3, 4, 5, 6])
    #expect(await elements(of: after) == [1, 3, 5, 6])
  }

  @Test func `A cancelled listener of a broadcast ends, and the others go on`() async {
    let broadcast = Broadcast<Int>()
    let other = broadcast.stream()
    let (heard, hearing) = AsyncStream<Int>.makeStream()
    let listener = Task {
      for await element in broadcast.stream() { hearing.yield(element) }
      hearing.finish()
    }
    broadcast.send(1)
    var received = heard.makeAsyncIterator()
    #expect(await received.next() == 1)
    listener.cancel()
    await listener.value
    broadcast.send(2)
    broadcast.finish()
    #expect(await received.next() == nil)
    #expect(await elements(of: other) == [1, 2])
  }
}
