import DevrunCore
import Testing

@Suite("Text that is fit for a terminal")
struct PrintableTextTests {
  @Test(
    arguments: [
      ("plain, with ünïcode 世界", "plain, with ünïcode 世界"), ("two\nlines\tand a tab", "two\nlines\tand a tab"),
      ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"), ("over\rwritten", "over\\u{d}written"),
      ("\u{9b}2J", "\\u{9b}2J"), ("a\u{202e}b", "a\\u{202e}b"), ("\u{7f}", "\\u{7f}"), ("", ""),
    ])
  func `What a terminal would act on is made visible`(text: String, printable: String) {
    #expect(text.printable == printable)
  }
}
