import DevrunConfig
import DevrunCore
import Testing

@Suite("A volume pattern")
struct VolumePatternTests {
  @Test(
    "matches any run of characters with a star",
    arguments: [
      ("a", "a", true), ("a", "ab", false), ("*", "", true), ("*", "abc", true), ("a*", "a", true), ("a*", "abc", true),
      ("a*", "ba", false), ("*c", "abc", true), ("*c", "cab", false), ("a*c", "abbc", true), ("a*c", "ac", true),
      ("a*c", "acd", false), ("*b*", "abc", true), ("a*b*c", "axbxc", true), ("a*b*c", "acb", false),
      ("*ab", "aab", true), ("**", "x", true), ("a*a", "a", false), ("", "", true), ("", "a", false),
    ])
  func matching(pattern: String, name: String, expected: Bool) {
    #expect(VolumePattern(pattern).matches(name) == expected)
  }

  @Test(
    "prefers the exact name, then the container's order",
    arguments: [
      ("data", ["data-1", "data"], "data"), ("data*", ["x", "data-2", "data-1", "data"], "data-2"),
      ("nope", ["data"], nil),
      ("default-token-*", ["app", "default-token-x7", "kube-api-access-q"], "default-token-x7"),
      ("default-token-*", ["app", "kube-api-access-q"], "kube-api-access-q"), ("default-token-*", ["app"], nil),
      ("default-token-x7", ["kube-api-access-q"], nil), ("*", ["b", "a"], "b"),
    ] as [(String, [String], String?)])
  func choice(pattern: String, volumes: [String], expected: String?) {
    #expect(VolumePattern(pattern).match(in: volumes) == expected)
  }
}

@Suite("Resolving azds-local.env")
struct LocalEnvResolutionTests {
  private func parse(_ text: String) throws -> LocalEnvFile {
    try LocalEnvFile.parse(Array(text.utf8), source: "azds-local.env")
  }

  private func resolve(_ file: LocalEnvFile, volumes: [String]) throws -> [String] {
    try file.environment(volumes: volumes, volumePath: { "/run/\($0)" }) { service in
      "<\(service.namespace ?? "-").\(service.name)>"
    }.map { "\($0.name)=\($0.value)" }
  }

  @Test("reads the seed's example in its five forms")
  func example() throws {
    let file = try LocalEnvFile.load(fixture("azds-local.env"))
    #expect(file.warnings.isEmpty)
    #expect(
      file.volumeReferences.map { "\($0.pattern) \($0.mountPath ?? "-") \($0.position.line)" } == [
        "whitelist - 5", "default-token-* /var/run/secrets/kubernetes.io/serviceaccount 10",
      ])
    #expect(file.serviceReferences.map { "\($0.namespace ?? "-") \($0.name)" } == ["- myapp1", "mynamespace myapp2"])
    #expect(
      try file.volumes(in: ["whitelist", "kube-api-access-q"]) == [
        .init(volume: "whitelist"),
        .init(volume: "kube-api-access-q", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount"),
      ])
    #expect(
      try resolve(file, volumes: ["whitelist", "default-token-x"]) == [
        "WHITELIST_PATH=/run/whitelist/whitelist",
        "KUBERNETES_IN_CLUSTER_CONFIG_OVERWRITE=/var/run/secrets/kubernetes.io/serviceaccount",
        "MYAPP1_SERVICE_HOST=<-.myapp1>", "MYAPP2_SERVICE_HOST=<mynamespace.myapp2>",
      ])
  }

  @Test("puts paths and addresses between the literal parts, in the order of the file")
  func values() throws {
    let file = try parse("Z=\"a ${volumes.d*}/b ${services.s}:80\"\nA='${volumes.x}'\nE=\n")
    #expect(try resolve(file, volumes: ["data"]) == ["Z=a /run/data/b <-.s>:80", "A=${volumes.x}", "E="])
  }

  @Test("lists each volume once, but each path it is to be seen at")
  func uses() throws {
    let file = try parse("A=${volumes.d}\nB=${volumes.d*}/x\nC=${volumes.d|/a}${volumes.d|/a/}${volumes.d|/b}\n")
    #expect(
      try file.volumes(in: ["d"]) == [
        .init(volume: "d"), .init(volume: "d", mountPath: "/a"), .init(volume: "d", mountPath: "/b"),
      ])
  }

  @Test("does not ask for the volumes of an assignment that another one replaces")
  func replaced() throws {
    let file = try parse("A=${volumes.gone}${services.gone}\nA=b\n")
    #expect(file.volumeReferences.isEmpty)
    #expect(file.serviceReferences.isEmpty)
    #expect(try resolve(file, volumes: []) == ["A=b"])
  }

  @Test("tells all unknown volumes and clashing paths at once")
  func unknown() throws {
    let file = try parse("A=${volumes.whitelst}\nB=${volumes.a|/m}${volumes.b|/m}\nC= ${volumes.zzz*|/z}\n")
    let available = ["whitelist", "a", "b"]
    let expected = LocalEnvError(
      source: "azds-local.env",
      problems: [
        .init(
          position: .init(line: 1, column: 3),
          reason: .unknownVolume("whitelst", available: available, nearest: "whitelist")),
        .init(position: .init(line: 2, column: 18), reason: .mountPathTaken("/m", volume: "b", other: "a")),
        .init(position: .init(line: 3, column: 4), reason: .unknownVolume("zzz*", available: available, nearest: nil)),
      ])
    #expect(throws: expected) { try file.volumes(in: available) }
    #expect(throws: expected) { try resolve(file, volumes: available) }
  }

  @Test("tells a container without volumes as such")
  func noVolumes() throws {
    let error = try #require(throws: LocalEnvError.self) { try parse("A=${volumes.x}\n").volumes(in: []) }
    #expect(error.description == "azds-local.env:1:3: the container has no volume 'x'\nit has none at all")
  }
}
