import NIOEmbedded
import Testing

@testable import DevrunTunnel

@Suite struct StreamWindowTests {
  @Test func `The window of a prompt reader doubles up to its maximum`() {
    var window = StreamWindow(base: 100, maximum: 350)
    window.read(49)
    #expect(window.adjust(keepsUp: true, available: 1000) == 0, "less than half of it was read")
    window.read(1)
    #expect(window.adjust(keepsUp: true, available: 1000) == 50 + 100)
    window.read(120)
    #expect(window.adjust(keepsUp: true, available: 1000) == 120 + 150)
    window.read(200)
    #expect(window.adjust(keepsUp: true, available: 1000) == 200)
    #expect(window.borrowed == 250)
  }

  @Test func `A stream's window grows by no more than the pool has left`() {
    var window = StreamWindow(base: 100, maximum: 1000)
    window.read(60)
    #expect(window.adjust(keepsUp: true, available: 30) == 60 + 30)
    window.read(70)
    #expect(window.adjust(keepsUp: true, available: 0) == 70)
    #expect(window.borrowed == 30)
  }

  @Test func `A slow reader gives back the part of its window that it borrowed`() {
    var window = StreamWindow(base: 100, maximum: 800)
    for _ in 0..<3 {
      window.read(window.target / 2)
      _ = window.adjust(keepsUp: true, available: 1000)
    }
    #expect(window.borrowed == 700)
    window.read(400)
    #expect(window.adjust(keepsUp: false, available: 1000) == 0)
    #expect(window.borrowed == 300)
    window.read(360)
    #expect(window.adjust(keepsUp: false, available: 1000) == 60)
    #expect(window.borrowed == 0)
    window.read(100)
    #expect(window.adjust(keepsUp: false, available: 1000) == 100)
  }

  @Test func `All streams borrow from one pool and return their share to it`() {
    let loop = EmbeddedEventLoop()
    var limits = ConnectionLimits.fitting(memory: 32 << 20)
    limits.baseWindow = 100
    limits.maximumWindow = 1000
    limits.windowPool = 150
    let pool = WindowPool(limits, on: loop)
    var first = pool.newWindow
    var second = pool.newWindow
    first.read(50)
    second.read(50)
    #expect(pool.adjust(&first, keepsUp: true) == 50 + 100)
    #expect(pool.adjust(&second, keepsUp: true) == 50 + 50)
    second.read(75)
    #expect(pool.adjust(&second, keepsUp: true) == 75, "the pool is empty: only what was read is granted again")
    pool.reclaim(&first)
    second.read(75)
    #expect(pool.adjust(&second, keepsUp: true) == 75 + 100)
  }
}
