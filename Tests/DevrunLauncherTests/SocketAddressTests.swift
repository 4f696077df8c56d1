import DevrunCore
import DevrunSystem
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Socket addresses")
struct SocketAddressTests {
  @Test func `A socket address is read as it was made, and IPv4 is mapped for IPv6 sockets`() throws {
    for (text, family) in [
      ("127.1.2.3", AF_INET), ("127.1.2.3", AF_INET6), ("fd00::12:3", AF_INET6), ("255.255.255.255", AF_INET6),
    ] {
      let endpoint = IPEndpoint(try #require(IPAddress(text)), port: 443)
      let read = try SocketAddress.withEndpoint(endpoint, family: family) { address, length in
        SocketAddress.read(UnsafeRawBufferPointer(start: address, count: Int(length)))
      }
      let result = try #require(read)
      #expect(result.family == family)
      #expect(result.address.address == endpoint.address)
      #expect(result.port == 443)
    }
  }

  @Test func `An IPv6 address for an IPv4 socket fails with EAFNOSUPPORT`() throws {
    let endpoint = IPEndpoint(try #require(IPAddress("::1")), port: 1)
    #expect(throws: Errno(rawValue: EAFNOSUPPORT)) {
      try SocketAddress.withEndpoint(endpoint, family: AF_INET) { _, _ in }
    }
  }

  @Test func `A socket address that is too short or of another family is not read`() {
    for bytes in [[], [2], [2, 0, 0, 80, 127, 0, 0], [1, 0] + Array(repeating: 65, count: 26), [10, 0, 0, 80]]
      as [[UInt8]]
    {
      #expect(bytes.withUnsafeBytes { SocketAddress.read($0) } == nil)
    }
  }
}

@Suite("Memory of answers")
struct AnswerMemoryTests {
  private func key(_ inode: UInt64) -> TrappedConnect.Key {
    .init(inode: inode, address: AddressKey(IPAddress(127, 0, 0, 1)), port: 80)
  }

  @Test func `A remembered answer is recalled for a few seconds only`() {
    var memory = AnswerMemory()
    let now = ContinuousClock.now
    #expect(!memory.recalls(key(1), of: 7, at: now))
    memory.remember(key(1), of: 7, at: now)
    #expect(memory.recalls(key(1), of: 7, at: now + .seconds(1)))
    #expect(!memory.recalls(key(2), of: 7, at: now))
    #expect(!memory.recalls(key(1), of: 8, at: now), "another thread cannot repeat the call")
    #expect(!memory.recalls(key(1), of: 7, at: now + .seconds(6)))
  }

  @Test func `A full memory of answers drops its oldest entries first`() {
    var memory = AnswerMemory()
    let now = ContinuousClock.now
    for inode in 0..<1024 as Range<UInt64> { memory.remember(key(inode), of: 7, at: now) }
    memory.remember(key(5000), of: 7, at: now + .seconds(10))
    #expect(memory.recalls(key(5000), of: 7, at: now + .seconds(10)))
    #expect(!memory.recalls(key(1), of: 7, at: now + .seconds(1)))
  }
}
