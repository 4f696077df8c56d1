import DevrunCore
import Testing

@Suite("JSON texts")
struct JSONTextTests {
  @Test(
    arguments: [
      ("null", nil), (" true\n", true), ("false", false), ("0", 0), ("-17", -17), ("9223372036854775807", .int(.max)),
      ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1.5", .double(1.5)), ("1e3", .double(1000)),
      ("-0.25E-1", .double(-0.025)), ("\"\"", ""), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{c}\n\r\t"),
      ("\"\\u00e9\\ud83d\\ude00é\"", "é😀é"), ("\"\\ud83dx\"", "\u{fffd}x"), ("\"\\ud83d\\u0041\"", "\u{fffd}A"),
      ("[]", []), ("[1, [true], \"x\"]", [1, [true], "x"]), ("{}", [:]),
      ("{ \"a\" : { \"b\" : null } , \"c\":[] }", ["a": ["b": nil], "c": []]), ("{\"a\":1,\"a\":2}", ["a": 2]),
    ] as [(String, JSONValue)])
  func `A JSON text is read as the value that it stands for`(text: String, expected: JSONValue) throws {
    #expect(try JSONValue(text: Array(text.utf8)) == expected)
  }

  @Test(
    arguments: [
      ("", 0), ("nul", 0), ("[1,]", 3), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{\"a\" 1}", 5), ("[1 2]", 3), ("1 2", 2),
      ("01", 2), ("-", 1), ("1.", 2), ("1e", 2), ("\"abc", 4), ("\"\\x\"", 3), ("\"\\u12g4\"", 3), ("\"a\nb\"", 2),
      ("'a'", 0), ("[1", 2), ("// x", 0), ("\u{feff}1", 0),
    ])
  func `A malformed JSON text is refused with the offset of the mistake`(text: String, offset: Int) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(text: Array(text.utf8)) }
    #expect(error?.offset == offset)
  }

  @Test func `A JSON string that is not UTF-8 is refused`() {
    #expect(throws: JSONSyntaxError.self) { try JSONValue(text: [0x22, 0xff, 0x22]) }
  }

  @Test func `A JSON text that nests deeper than the limit is refused`() throws {
    let deepest = String(repeating: "[", count: JSONValue.maximumDepth)
    let closing = String(repeating: "]", count: JSONValue.maximumDepth)
    #expect(throws: Never.self) { try JSONValue(text: Array((deepest + closing).utf8)) }
    #expect(throws: JSONSyntaxError.self) { try JSONValue(text: Array(("[" + deepest + closing + "]").utf8)) }
  }

  @Test(
    arguments: [
      (nil, "null"), (true, "true"), (-3, "-3"), (.double(0.5), "0.5"), (.double(1e300), "1e+300"),
      ("é\"\\/\n\r\t\u{1}\u{7f}", "\"é\\\"\\\\/\\n\\r\\t\\u0001\u{7f}\""),
      (["b": [1, 2], "a": [:], "": "x"], "{\"\":\"x\",\"a\":{},\"b\":[1,2]}"),
    ] as [(JSONValue, String)])
  func `A JSON value is written compactly with sorted members and can be read back`(
    value: JSONValue, expected: String
  ) throws {
    #expect(String(decoding: value.text, as: UTF8.self) == expected)
    #expect(try JSONValue(text: value.text) == value)
  }
}
