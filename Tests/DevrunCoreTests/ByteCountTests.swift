import DevrunCore
import Testing

@Suite("Byte counts")
struct ByteCountTests {
  @Test(
    arguments: [
      (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1Ki"), (1536, "1.5Ki"), (256 << 20, "256Mi"),
      (1_000_000_000, "953.7Mi"), (2 << 30, "2Gi"),
    ])
  func `A byte count is written in the largest unit that it fills`(bytes: Int, text: String) {
    #expect(ByteCount.text(bytes) == text)
  }

  @Test(
    arguments: [
      ("1", 1), ("1000000", 1_000_000), ("256Mi", 256 << 20), ("2Gi", 2 << 30), ("2G", 2_000_000_000), ("5k", 5000),
      ("", nil), ("0", nil), ("-1", nil), ("Mi", nil), ("1.5Gi", nil), ("12 Mi", nil), ("9223372036854775807Gi", nil),
    ] as [(String, Int?)])
  func `A byte count is read from a positive whole number with an optional unit`(text: String, bytes: Int?) {
    #expect(ByteCount.parse(text) == bytes)
  }
}
