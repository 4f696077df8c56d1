import DevrunConfig
import Testing

@Suite("Parts of volumes")
struct VolumePartTests {
  @Test(
    arguments: [
      ("a/b", ["a", "b"]), ("/a//b/", ["a", "b"]), ("a/*/c", ["a"]), ("*", []), ("a/b*", ["a"]),
    ] as [(String, [String])])
  func `The base of a volume's part is the path before its first star`(
    part: String, base: [String]
  ) throws {
    #expect(try #require(VolumePart(part)).base == base)
  }

  @Test(arguments: ["", "/", "..", "a/..", "./a", "a/../b", "a\0b"])
  func `An empty or unsafe part of a volume is refused`(text: String) {
    #expect(VolumePart(text) == nil)
  }
}
