import DevrunConfig
import DevrunCore
import DevrunYAML
import TestSupport
import Testing

@Suite("Kubeconfig files")
struct KubeconfigMergeTests {
  private func locations(
    _ folder: TemporaryFolder, file: String? = nil, list: String? = nil, home: String? = nil,
    more: [String: String] = [:]
  ) -> Kubeconfig.Locations {
    var environment = more
    environment["KUBECONFIG"] = list
    return .init(
      file: file, environment: environment, home: home, workingDirectory: folder.path,
      serviceAccountDirectory: "\(folder.path)/account")
  }

  @Test func `Kubeconfig files come from --kubeconfig, else from KUBECONFIG, else from the home folder`() throws {
    try TemporaryFolder.with { folder in
      #expect(locations(folder, file: "a", list: "b:c", home: "/h").files == ["\(folder.path)/a"])
      #expect(locations(folder, list: "/b::c:/b", home: "/h").files == ["/b", "\(folder.path)/c"])
      #expect(locations(folder, list: ":", home: "/h").files.isEmpty)
      #expect(locations(folder, list: "", home: "/h").files == ["/h/.kube/config"])
      #expect(locations(folder, home: "/h").files == ["/h/.kube/config"])
      #expect(locations(folder).files.isEmpty)
    }
  }

  @Test func `Merged kubeconfig files use the first definition of each name and the first current context`() throws {
    try TemporaryFolder.with { folder in
      try folder.write(
        "1",
        """
        clusters:
        - {name: k, cluster: {server: "https://first"}}
        contexts:
        - {name: one, context: {cluster: k, user: u}}
        """)
      try folder.write("2", "")
      try folder.write(
        "dir/3",
        """
        current-context: two
        clusters:
        - {name: k, cluster: {server: "https://second", tls-server-name: second}}
        - {name: k2, cluster: {server: "https://second"}}
        users:
        - {name: u, user: {tokenFile: sub/token}}
        contexts:
        - {name: one, context: {cluster: k2, user: u, namespace: second}}
        - {name: two, context: {cluster: k2, user: u}}
        """)
      try folder.write("dir/sub/token", "secret")
      try folder.write("4", "current-context: one\n")
      let places = locations(folder, list: "1:missing:2:dir/3::4")
      #expect(try Kubeconfig.load(from: places).contextNames == ["one", "two"])
      #expect(try Kubeconfig.access(from: places).contextName == "two")
      let one = try Kubeconfig.access(from: places, context: "one")
      #expect(one.server == "https://first")
      #expect(one.tlsServerName == nil)
      #expect(one.namespace == "default")
      #expect(
        one.credentials.authorization == .tokenFile(path: "\(folder.path)/dir/sub/token", fallback: nil))
    }
  }

  @Test func `A missing file that --kubeconfig names is an error`() throws {
    try TemporaryFolder.with { folder in
      let expected = KubeconfigError.unreadable(
        path: "\(folder.path)/none", referrer: nil, reason: "No such file or directory")
      #expect(throws: expected) { try Kubeconfig.load(from: locations(folder, file: "none")) }
    }
  }

  @Test func `A kubeconfig file that exists but cannot be read or parsed is an error`() throws {
    try TemporaryFolder.with { folder in
      let expected = KubeconfigError.unreadable(path: folder.path, referrer: nil, reason: "Is a directory")
      #expect(throws: expected) { try Kubeconfig.load(from: locations(folder, list: folder.path)) }
      try folder.write("bad", "a: b: c\n")
      let error = try #require(throws: YAMLError.self) { try Kubeconfig.load(from: locations(folder, list: "bad")) }
      #expect(error.place == "\(folder.path)/bad:1:5")
    }
  }

  @Test func `A pod's service account gives access to the cluster if there is no kubeconfig`() throws {
    try TemporaryFolder.with { folder in
      let variables = ["KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"]
      try folder.write("account/token", "token\n")
      try folder.write("account/ca.crt", "-----BEGIN CERTIFICATE-----")
      let places = locations(folder, list: "missing", more: variables)
      #expect(
        try Kubeconfig.access(from: places).unsourced
          == ClusterAccess(
            server: "https://10.0.0.1:443", certificateAuthority: Array("-----BEGIN CERTIFICATE-----".utf8),
            namespace: "default", contextName: "in-cluster",
            credentials: .init(authorization: .tokenFile(path: "\(folder.path)/account/token", fallback: "token"))))
      try folder.write("account/namespace", "shop\n")
      #expect(try Kubeconfig.access(from: places).namespace == "shop")
      #expect(try Kubeconfig.access(from: places, namespace: "mine").namespace == "mine")
      var inPod = places
      inPod.environment["POD_NAMESPACE"] = "pods"
      inPod.environment["KUBERNETES_SERVICE_HOST"] = "fd00::1"
      #expect(try Kubeconfig.access(from: inPod).namespace == "pods")
      #expect(try Kubeconfig.access(from: inPod).server == "https://[fd00::1]:443")
      // A context asked for is one of a kubeconfig.
      #expect(throws: KubeconfigError.self) { try Kubeconfig.access(from: places, context: "c") }
      // A kubeconfig has precedence.
      try folder.write("missing", kubeconfig())
      #expect(try Kubeconfig.access(from: places).server == "https://h:6443")
    }
  }

  @Test func `The absence of any kubeconfig is an error with the paths that were tried`() throws {
    try TemporaryFolder.with { folder in
      let expected = KubeconfigError.noConfiguration(looked: ["/none/.kube/config"])
      #expect(throws: expected) { try Kubeconfig.access(from: locations(folder, home: "/none")) }
      #expect(throws: expected) {
        try Kubeconfig.access(
          from: locations(
            folder, home: "/none", more: ["KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"]))
      }
    }
  }
}
