import DevrunCore
import Testing

@Suite("The nearest match")
struct NearestMatchTests {
  @Test(
    "is what the writer most likely meant",
    arguments: [
      ("deploymnet", ["deployment", "daemonset"], "deployment"), ("Whitelist", ["whitelist"], "whitelist"),
      ("whitlist", ["blacklist", "whitelist"], "whitelist"), ("prot", ["pod", "ports", "port"], "port"),
      ("ab", ["ba"], "ba"), ("x", ["y"], nil), ("app", ["database"], nil), ("", ["a"], nil), ("name", [], nil),
      ("kitten", ["sitting"], "sitting"), ("first", ["firs1", "firs2"], "firs1"),
    ] as [(String, [String], String?)])
  func match(name: String, candidates: [String], expected: String?) {
    #expect(nearest(to: name, in: candidates) == expected)
  }
}
