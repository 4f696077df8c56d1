import DevrunConfig
import DevrunCore
import DevrunSystem
import Glibc
import TestSupport
import Testing

@Suite("Layers of environment files")
struct EnvironmentFilesTests {
  @Test func `A later environment file overrides the assignments of an earlier one without a warning`() throws {
    try TemporaryFolder.with { folder in
      let first = try folder.write("first.env", "A=1\nB=${volumes.gone}\nB=${volumes.x|/m}\n")
      let second = try folder.write("second.yml", "version: 0.1\nenv:\n  - {name: A, value: 2}\n  - {name: C}\n")
      let third = try folder.write("third", "C=3\nB=4\n")
      let file = try EnvironmentFiles.load([first, second, third])
      #expect(file.assignments.map { "\($0.name)=\(shown($0.segments))" } == ["A=2", "C=3", "B=4"])
      #expect(file.assignments.map(\.position.source) == [second, third, third])
      #expect(file.volumeReferences.isEmpty)
      #expect(
        file.warnings.map(\.description) == ["\(first):3:1: B is assigned again; its value of line 2 is not used"])
    }
  }

  @Test func `The mistakes of several environment files are reported together in the order of the files`() throws {
    try TemporaryFolder.with { folder in
      let first = try folder.write("a.env", "A\n")
      let second = try folder.write("b.yaml", "version: 0.1\nenvs: []\n")
      let missing = "\(folder.path)/missing.env"
      let error = try #require(throws: LocalEnvError.self) { try EnvironmentFiles.load([first, missing, second]) }
      #expect(
        error.description == """
          \(first) and \(missing) and \(second) have 3 mistakes
          \(first):1:2: '=' is missing after 'A'; write A=VALUE, or # in front of a comment
          \(missing): cannot be read: No such file or directory
          \(second):2:1: there is no option 'envs'; the options are version, env, volumeMounts, enableFeatures; did \
          you mean 'env'?
          """)
      #expect(error.exitStatus == .usage)
    }
  }

  @Test func `An environment file of more than 16 MiB is refused`() throws {
    try TemporaryFolder.with { folder in
      let path = try folder.write("large.env", "A=1\n")
      let file = try Descriptor.open(RawString(path), O_WRONLY)
      try system { ftruncate(file.number, (16 << 20) + 1) }
      let problem = LocalEnvError.Problem(
        position: .init(source: path, mark: nil), reason: .unreadable("File too large"))
      #expect(throws: LocalEnvError([problem])) { try EnvironmentFiles.load([path]) }
    }
  }

  @Test func `Two environment files cannot mount different volumes at one path`() throws {
    let files = try ["A=${volumes.a|/m}", "B=${volumes.b|/m}"].enumerated().map { number, text in
      try AzdsLocalEnv.parse(Array(text.utf8), source: "\(number).env")
    }
    let problem = LocalEnvError.Problem(
      position: place(1, 3, in: "1.env"), reason: .mountPathTaken("/m", volume: "b", other: "a"))
    #expect(throws: LocalEnvError([problem])) { try LocalEnvFile(merging: files).volumes(in: ["a", "b"]) }
  }

  @Test func `The environment files of the nearest folder that has any are found, up to the project's root`() throws {
    try TemporaryFolder.with { folder in
      let yaml = KubernetesLocalProcessConfig.fileName
      try folder.write("above/\(AzdsLocalEnv.fileName)", "")
      try folder.write("above/project/.git", "")
      try folder.write("above/project/\(yaml)", "")
      try folder.write("above/project/a/\(yaml)", "")
      try folder.write("above/project/a/\(AzdsLocalEnv.fileName)", "")
      try folder.write("above/project/a/b/c/main.c", "")
      try folder.write("above/project/d/main.c", "")
      let root = "\(folder.path)/above/project"
      #expect(
        try EnvironmentFiles.find(from: "\(root)/a/b/c") == ["\(root)/a/\(yaml)", "\(root)/a/\(AzdsLocalEnv.fileName)"])
      #expect(try EnvironmentFiles.find(from: "\(root)/d") == ["\(root)/\(yaml)"])
    }
  }

  @Test(arguments: [".git", "Package.swift", "go.mod", "package.json", "Cargo.toml", "pom.xml", "App.csproj", ".jj"])
  func `Environment files above the project's root are ignored`(marker: String) throws {
    try TemporaryFolder.with { folder in
      try folder.write(AzdsLocalEnv.fileName, "")
      try folder.write("project/\(marker)", "")
      try folder.write("project/src/main.c", "")
      #expect(try EnvironmentFiles.find(from: "\(folder.path)/project/src").isEmpty)
    }
  }
}
