import DevrunCore
import Testing

@Suite("Nearest matches")
struct NearestMatchTests {
  @Test(
    arguments: [
      ("deploymnet", ["deployment", "daemonset"], "deployment"), ("Whitelist", ["whitelist"], "whitelist"),
      ("whitlist", ["blacklist", "whitelist"], "whitelist"), ("prot", ["pod", "ports", "port"], "port"),
      ("ab", ["ba"], "ba"), ("x", ["y"], nil), ("app", ["database"], nil), ("", ["a"], nil), ("name", [], nil),
      ("kitten", ["sitting"], "sitting"), ("first", ["firs1", "firs2"], "firs1"),
    ] as [(String, [String], String?)])
  func `The nearest match is the most similar candidate, or none if all differ too much`(
    name: String, candidates: [String], expected: String?
  ) {
    #expect(nearest(to: name, in: candidates) == expected)
  }
}
