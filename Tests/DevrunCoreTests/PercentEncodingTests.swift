import DevrunCore
import Testing

@Suite struct PercentEncodingTests {
  @Test(
    arguments: [
      ("", "", ""),
      ("azAZ09-._~", "", "azAZ09-._~"),
      ("a/b c?#%é", "", "a%2Fb%20c%3F%23%25%C3%A9"),
      ("a/b=c", "/", "a/b%3Dc"),
      ("\0\n\u{7f}", "", "%00%0A%7F"),
    ])
  func `A text is encoded but for unreserved characters, and decoded again`(
    text: String, others: String, expected: String
  ) {
    let encoded = PercentEncoding.encode(text.utf8, except: others)
    #expect(encoded == expected)
    #expect(PercentEncoding.decode(encoded.utf8) == Array(text.utf8))
  }

  @Test func `Bytes that are no text are encoded and decoded again`() {
    let bytes = Array(UInt8.min...UInt8.max)
    #expect(PercentEncoding.decode(PercentEncoding.encode(bytes).utf8) == bytes)
    #expect(PercentEncoding.encode([0xff]) == "%FF")
  }

  @Test func `Hexadecimal digits are read in either case`() {
    #expect(PercentEncoding.decode("%c3%A9+".utf8) == Array("é+".utf8))
  }

  @Test(arguments: ["%", "%4", "%zz", "a%2", "%+1", "%%41"])
  func `A broken percent escape is refused`(text: String) {
    #expect(PercentEncoding.decode(text.utf8) == nil)
  }
}
