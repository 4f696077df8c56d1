import DevrunCore
import Testing

@Suite("IP addresses")
struct IPAddressTests {
  @Test(
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
      ("1::", "1::"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("fe80:0:0:1::", "fe80:0:0:1::"),
      ("::ffff:10.0.0.7", "10.0.0.7"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
    ])
  func `An IP address is read in any form and written in the canonical one`(text: String, expected: String) {
    #expect(IPAddress(text)?.description == expected)
  }

  @Test(
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "+1.2.3.4", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9", "::1%eth0", "localhost",
    ])
  func `A malformed IP address is refused`(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func `A loopback address is recognised`() throws {
    #expect(try #require(IPAddress("127.9.8.7")).isLoopback)
    #expect(try #require(IPAddress("::1")).isLoopback)
    #expect(try #require(IPAddress("::ffff:127.0.0.1")).isLoopback)
    #expect(!(try #require(IPAddress("10.0.0.1")).isLoopback))
  }
}
