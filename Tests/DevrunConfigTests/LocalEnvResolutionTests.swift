import DevrunConfig
import DevrunCore
import DevrunSystem
import Testing

@Suite("Resolution of azds-local.env")
struct LocalEnvResolutionTests {
  private func parse(_ text: String) throws -> LocalEnvFile {
    try AzdsLocalEnv.parse(Array(text.utf8), source: "azds-local.env")
  }

  private func resolve(
    _ file: LocalEnvFile, volumes: [String], variables: EnvironmentVariables = [:]
  ) throws -> [String] {
    try file.environment(volumes: volumes, variables: variables, volumePath: { "/run/\($0.volume)" }) { service in
      "<\(service.namespace ?? "-").\(service.name)>"
    }.map { "\($0.name)=\($0.value)" }
  }

  @Test func `The example of azds-local.env resolves to paths and addresses`() throws {
    let file = try EnvironmentFiles.load([fixture("azds-local.env")])
    #expect(file.warnings.isEmpty)
    #expect(
      file.volumeReferences.map { "\($0.pattern) \($0.mountPath ?? "-") \($0.position.mark?.line ?? 0)" } == [
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

  @Test(
    arguments: [
      ("data", ["data-1", "data"], "data"), ("data*", ["x", "data-2", "data-1", "data"], "data-2"),
      ("nope", ["data"], nil),
      ("default-token-*", ["app", "default-token-x7", "kube-api-access-q"], "default-token-x7"),
      ("default-token-*", ["app", "kube-api-access-q"], "kube-api-access-q"), ("default-token-*", ["app"], nil),
      ("default-token-x7", ["kube-api-access-q"], nil), ("*", ["b", "a"], "b"),
    ] as [(String, [String], String?)])
  func `A volume pattern selects the container's first match, or the token volume under its new name`(
    pattern: String, volumes: [String], expected: String?
  ) throws {
    let file = try parse("A=${volumes.\(pattern)}\n")
    if let expected {
      #expect(try file.volumes(in: volumes) == [.init(volume: expected)])
    } else {
      #expect(throws: LocalEnvError.self) { try file.volumes(in: volumes) }
    }
  }

  @Test func `Paths and addresses are inserted between literal text in the order of the file`() throws {
    let file = try parse("Z=\"a ${volumes.d*}/b ${services.s}:80\"\nA='${volumes.x}'\nE=\n")
    #expect(try resolve(file, volumes: ["data"]) == ["Z=a /run/data/b <-.s>:80", "A=${volumes.x}", "E="])
  }

  @Test func `Each volume is listed once for its folder and once for each mount path`() throws {
    let file = try parse("A=${volumes.d}\nB=${volumes.d*}/x\nC=${volumes.d|/a}${volumes.d|/a/}${volumes.d|/b}\n")
    #expect(
      try file.volumes(in: ["d"]) == [
        .init(volume: "d"), .init(volume: "d", mountPath: "/a"), .init(volume: "d", mountPath: "/b"),
      ])
  }

  @Test func `The volumes and services of an assignment that another one replaces are not needed`() throws {
    let file = try parse("A=${volumes.gone}${services.gone}\nA=b\n")
    #expect(file.volumeReferences.isEmpty)
    #expect(file.serviceReferences.isEmpty)
    #expect(try resolve(file, volumes: []) == ["A=b"])
  }

  @Test func `All unknown volumes and conflicting mount paths are reported at once`() throws {
    let file = try parse("A=${volumes.whitelst}\nB=${volumes.a|/m}${volumes.b|/m}\nC= ${volumes.zzz*|/z}\n")
    let available = ["whitelist", "a", "b"]
    let expected = LocalEnvError([
      .init(
        position: place(1, 3), reason: .unknownVolume("whitelst", available: available, nearest: "whitelist")),
      .init(position: place(2, 18), reason: .mountPathTaken("/m", volume: "b", other: "a")),
      .init(position: place(3, 4), reason: .unknownVolume("zzz*", available: available, nearest: nil)),
    ])
    #expect(throws: expected) { try file.volumes(in: available) }
    #expect(throws: expected) { try resolve(file, volumes: available) }
  }

  @Test func `An unknown volume is reported together with the fact that the container has no volumes`() throws {
    let error = try #require(throws: LocalEnvError.self) { try parse("A=${volumes.x}\n").volumes(in: []) }
    #expect(error.description == "azds-local.env:1:3: the container has no volume 'x'\nit has none at all")
  }

  @Test func `A part of a volume resolves to the path before its first star`() throws {
    let file = try parse(
      "A=${volumes.d/app/settings.json}\nB=${volumes.d/certs/*.crt}\nC=${volumes.d/*}\nD=${volumes.d/x|/y}\n")
    #expect(
      try resolve(file, volumes: ["d"]) == ["A=/run/d/app/settings.json", "B=/run/d/certs", "C=/run/d", "D=/y"])
    let uses = try file.volumes(in: ["d"])
    #expect(uses.map { $0.part?.description } == ["app/settings.json", "certs/*.crt", "*", "x"])
    #expect(uses.map { $0.path(in: "/f") } == ["/f/app/settings.json", "/f/certs", "/f", "/f/x"])
    #expect(throws: LocalEnvError.self) { try parse("A=${volumes.d/x|/m}${volumes.d/y|/m}").volumes(in: ["d"]) }
  }

  @Test(
    arguments: [
      ("${env.X}", "x"), ("${env.X:-y}", "x"), ("${env.EMPTY}", ""), ("${env.EMPTY:-y}", "y"), ("${env.NONE:-y}", "y"),
      ("${env.NONE:-}", ""), ("a${env.X}b$${env.X}", "axb${env.X}"), ("'${env.X}'", "${env.X}"),
    ])
  func `A variable token takes the variable's value, or its default if that is missing or empty`(
    text: String, value: String
  ) throws {
    #expect(
      try resolve(parse("X=\(text)\n"), volumes: [], variables: ["X": "x", "EMPTY": ""]) == ["X=\(value)"])
  }

  @Test func `A variable's value that is not UTF-8 is kept byte for byte`() throws {
    let values = try parse("A=${env.X}").environment(
      volumes: [], variables: ["X": RawString([0xff, 0x0a])], volumePath: { _ in "" }, serviceAddress: { _ in "" })
    #expect(values.map(\.value) == [RawString([0xff, 0x0a])])
  }

  @Test func `Unknown variables and volumes are reported together in the order of the file`() throws {
    let file = try parse("A=${env.DATABSE_URL}\nB=${volumes.x}\nC=${env.QQQ}${env.EMPTY}\n")
    let error = try #require(throws: LocalEnvError.self) {
      try resolve(file, volumes: ["y"], variables: ["DATABASE_URL": "1", "EMPTY": ""])
    }
    #expect(
      error.description == """
        azds-local.env has 3 mistakes
        azds-local.env:1:3: neither the container nor this shell has a variable 'DATABSE_URL'; did you mean \
        'DATABASE_URL'?
        azds-local.env:2:3: the container has no volume 'x'; it has y
        azds-local.env:3:3: neither the container nor this shell has a variable 'QQQ'; write ${env.QQQ:-} for an \
        empty text in its place
        """)
  }

  @Test func `An external endpoint resolves to its host as it is written`() throws {
    let file = try KubernetesLocalProcessConfig.parse(
      Array("{version: 0.1, env: [{name: A, value: 'tcp://$(externalendpoints:db.example.com:1433)'}]}".utf8),
      source: "f")
    #expect(try resolve(file, volumes: []) == ["A=tcp://db.example.com"])
    #expect(file.endpointReferences.map(\.host) == ["db.example.com"])
  }
}
