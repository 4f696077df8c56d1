import DevrunConfig
import Testing

@Suite("Wildcards")
struct WildcardTests {
  @Test(
    arguments: [
      ("a", "a", true), ("a", "ab", false), ("*", "", true), ("*", "abc", true), ("a*", "a", true), ("a*", "abc", true),
      ("a*", "ba", false), ("*c", "abc", true), ("*c", "cab", false), ("a*c", "abbc", true), ("a*c", "ac", true),
      ("a*c", "acd", false), ("*b*", "abc", true), ("a*b*c", "axbxc", true), ("a*b*c", "acb", false),
      ("*ab", "aab", true), ("**", "x", true), ("a*a", "a", false), ("", "", true), ("", "a", false),
    ])
  func `A star in a pattern matches any run of characters`(pattern: String, name: String, expected: Bool) {
    #expect(Wildcard(pattern).matches(name) == expected)
  }
}
