import DevrunCore
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Directory")
struct DirectoryTests {
  private let folder: TemporaryFolder
  private let descriptor: Descriptor

  init() throws {
    folder = try TemporaryFolder()
    descriptor = try Descriptor.open(RawString(folder.path), O_RDONLY | O_DIRECTORY)
  }

  @Test func `The entries of a folder are sorted by their bytes`() throws {
    let names: [RawString] = ["b", "a b", "ä", "B", ".hidden", "..data", RawString([0x66, 0xff])]
    for name in names { try Directory.make(name, mode: 0o700, in: descriptor) }
    let sorted: [RawString] = ["..data", ".hidden", "B", "a b", "b", RawString([0x66, 0xff]), "ä"]
    #expect(try Directory.entries(of: RawString(folder.path)) == sorted)
    #expect(try Directory.entries(of: descriptor) == sorted)
    #expect(try Directory.entries(of: descriptor) == sorted, "each listing begins at the start")
  }

  @Test func `A folder that cannot be listed is the error of the kernel`() throws {
    try folder.write("file", "")
    #expect(throws: Errno.noEntry) { try Directory.entries(of: RawString(folder.path("missing"))) }
    #expect(throws: Errno.notADirectory) { try Directory.entries(of: RawString(folder.path("file"))) }
    let file = try Descriptor.open("file", O_RDONLY, in: descriptor)
    #expect(throws: Errno.notADirectory) { try Directory.entries(of: file) }
  }

  @Test func `A folder is made with its mode, but not twice`() throws {
    try Directory.make("new", mode: 0o500, in: descriptor)
    let made = try Descriptor.open("new", O_RDONLY | O_DIRECTORY, in: descriptor)
    #expect(try made.status().st_mode & 0o777 == 0o500)
    #expect(throws: Errno.exists) { try Directory.make("new", mode: 0o700, in: descriptor) }
    #expect(throws: Errno.noEntry) { try Directory.make(RawString(folder.path("a/b")), mode: 0o700) }
  }

  @Test func `A symbolic link leads to what it was made to lead to`() throws {
    for target in ["..data/file", "/", RawString([0xff, 0x0a]), RawString(String(repeating: "x", count: 4095))] {
      try SymbolicLink.make("link", target: target, in: descriptor)
      #expect(try SymbolicLink.target(of: "link", in: descriptor) == target)
      #expect(try SymbolicLink.target(of: RawString(folder.path("link"))) == target)
      #expect(throws: Errno.exists) { try SymbolicLink.make("link", target: "x", in: descriptor) }
      try Directory.removeTree("link", in: descriptor)
    }
    #expect(throws: Errno.noEntry) { try SymbolicLink.target(of: "link", in: descriptor) }
    #expect(throws: Errno.invalidArgument) { try SymbolicLink.target(of: RawString(folder.path)) }
  }
}

@Suite("Removal of a tree of files")
struct RemoveTreeTests {
  /// What is made for an example.
  enum Step {
    case folder(RawString)
    case file(RawString)
    case link(RawString, to: RawString)
    case mode(RawString, UInt32)
  }

  /// A tree to be removed. `outside` stands for a folder that is not part of it.
  struct Example: CustomTestStringConvertible {
    var testDescription: String
    var steps: [Step]

    init(_ description: String, _ steps: Step...) {
      testDescription = description
      self.steps = steps
    }
  }

  private let folder: TemporaryFolder
  private let parent: Descriptor

  init() throws {
    folder = try TemporaryFolder()
    try folder.makeFolder("outside/inner")
    try folder.write("outside/inner/kept", "kept")
    parent = try Descriptor.open(RawString(folder.path), O_RDONLY | O_DIRECTORY)
  }

  private func make(_ steps: [Step]) throws(Errno) {
    for step in steps {
      switch step {
      case .folder(let path): try Directory.make(path, mode: 0o700, in: parent)
      case .file(let path): _ = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o400, in: parent)
      case .link(let path, let target): try SymbolicLink.make(path, target: target, in: parent)
      case .mode(let path, let mode):
        try path.withCString { (path) throws(Errno) in _ = try system { fchmodat(parent.number, path, mode, 0) } }
      }
    }
  }

  @Test(arguments: [
    Example("nothing"),
    Example("a file", .file("tree")),
    Example("an empty folder", .folder("tree")),
    Example(
      "folders in folders", .folder("tree"), .file("tree/a"), .folder("tree/b"), .file("tree/b/c"), .folder("tree/b/d"),
      .file("tree/e")),
    Example(
      "names that are not text", .folder("tree"), .file(RawString(Array("tree/".utf8) + [0xff])),
      .folder(RawString(Array("tree/".utf8) + [0xfe])), .file(RawString(Array("tree/".utf8) + [0xfe, 0x2f, 0x80]))),
    Example("a link", .link("tree", to: "outside")),
    Example("a link to nothing", .link("tree", to: "missing")),
    Example(
      "links that lead out", .folder("tree"), .link("tree/a", to: "../outside"),
      .link("tree/b", to: "../outside/inner/kept"),
      .link("tree/c", to: "/"), .link("tree/d", to: ".."), .link("tree/e", to: ".")),
    Example(
      "a folder that may not be written to", .folder("tree"), .folder("tree/a"), .file("tree/a/b"),
      .mode("tree/a", 0o555),
      .mode("tree", 0o555)),
    Example(
      "a folder that may not be listed", .folder("tree"), .folder("tree/a"), .folder("tree/a/b"), .file("tree/a/b/c"),
      .mode("tree/a/b", 0o000), .mode("tree/a", 0o300), .mode("tree", 0o000)),
    Example("a folder that may not be walked through", .folder("tree"), .file("tree/a"), .mode("tree", 0o600)),
  ])
  func `A tree is removed with all that is in it and nothing else`(example: Example) throws {
    try make(example.steps)
    try Directory.removeTree("tree", in: parent)
    #expect(try Directory.entries(of: parent) == ["outside"])
    #expect(try String(contentsOfFile: folder.path("outside/inner/kept"), encoding: .utf8) == "kept")
  }

  @Test func `A tree is removed by its absolute path`() throws {
    try make([.folder("tree"), .folder("tree/a"), .file("tree/a/b")])
    try Directory.removeTree(RawString(folder.path("tree")))
    #expect(try Directory.entries(of: parent) == ["outside"])
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
  func `A part of a tree that cannot be removed does not keep the rest`() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder(mode: 0o777)
      let tree = RawString(folder.path("tree"))
      for name in ["", "/a", "/b", "/b/foreign", "/c"] {
        try Directory.make(RawString("\(tree)\(name)"), mode: 0o755)
        _ = try Descriptor.open(RawString("\(tree)\(name)/file"), O_WRONLY | O_CREAT, mode: 0o644)
        if name != "/b/foreign" { try system { chown("\(tree)\(name)", 65_534, 65_534) } }
      }
      try system { seteuid(65_534) }
      #expect(throws: Errno.accessDenied) { try Directory.removeTree(tree) }
      #expect(try Directory.entries(of: tree) == ["b"])
      #expect(try Directory.entries(of: RawString("\(tree)/b")) == ["foreign"])
      #expect(try Directory.entries(of: RawString("\(tree)/b/foreign")) == ["file"])
      try system { seteuid(0) }
      try Directory.removeTree(tree)
    }
  }
}
