import DevrunConfig
import DevrunCore
import TestSupport
import Testing

/// PEM text of no certificate in particular.
private let authorityPEM = "-----BEGIN CERTIFICATE-----\nCA\n-----END CERTIFICATE-----\n"

/// The same in base64.
private let authorityBase64 =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkNBCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"

/// A kubeconfig of one context `c` with cluster `k` and user `u`, to which members can be added.
func kubeconfig(cluster: String = "", user: String = "", context: String = "") -> String {
  """
  apiVersion: v1
  kind: Config
  current-context: c
  clusters:
  - name: k
    cluster:
      server: https://h:6443
  \(cluster.indented)
  users:
  - name: u
    user:
      unknown: field
  \(user.indented)
  contexts:
  - name: c
    context:
      cluster: k
      user: u
  \(context.indented)
  """
}

extension String {
  fileprivate var indented: String { split(separator: "\n").map { "    \($0)" }.joined(separator: "\n") }
}

extension ClusterAccess {
  /// The access without the place where it was read.
  var unsourced: ClusterAccess {
    var access = self
    access.source = nil
    return access
  }
}

/// The access that a single kubeconfig file gives.
func access(_ text: String, context: String? = nil, namespace: String? = nil) throws -> ClusterAccess {
  try TemporaryFolder.with { folder in
    try folder.write("config", text)
    return try Kubeconfig.access(
      from: .init(file: "config", environment: [:], home: nil, workingDirectory: folder.path),
      context: context, namespace: namespace)
  }
}

@Suite("Contexts of a kubeconfig")
struct KubeconfigContextTests {
  @Test func `A kubeconfig context resolves to its cluster, user and namespace`() throws {
    #expect(
      try access(kubeconfig(user: "token: abc", context: "namespace: shop")).unsourced
        == ClusterAccess(
          server: "https://h:6443", namespace: "shop", contextName: "c",
          credentials: Credentials(authorization: .token("abc"))))
  }

  @Test func `The requested namespace overrides the one of the context, and default is the last resort`() throws {
    #expect(try access(kubeconfig()).namespace == "default")
    #expect(try access(kubeconfig(context: "namespace: ''")).namespace == "default")
    #expect(try access(kubeconfig(context: "namespace: shop"), namespace: "other").namespace == "other")
    #expect(try access(kubeconfig(context: "namespace: shop"), namespace: "").namespace == "shop")
  }

  @Test func `The namespaces of other contexts for the same cluster are listed`() throws {
    let more = """
      - name: d
        context: {cluster: k, namespace: stage}
      - name: e
        context: {cluster: k, user: u, namespace: shop}
      - name: f
        context: {cluster: elsewhere, namespace: far}
      - name: g
        context: {cluster: [broken], namespace: odd}
      - name: h
        context: {cluster: k}
      """
    let text = kubeconfig(context: "namespace: shop") + "\n" + more
    #expect(try access(text).otherNamespaces == ["stage"])
    #expect(try access(text, namespace: "mine").otherNamespaces == ["shop", "stage"])
  }

  @Test func `Every setting of a kubeconfig's cluster is read`() throws {
    let result = try access(
      kubeconfig(
        cluster: """
          tls-server-name: api.internal
          certificate-authority: /nowhere
          certificate-authority-data: \(authorityBase64)
          proxy-url: socks5://proxy:1080
          disable-compression: true
          """))
    #expect(result.tlsServerName == "api.internal")
    #expect(result.certificateAuthority == Array(authorityPEM.utf8))
    #expect(result.proxyURL == "socks5://proxy:1080")
    #expect(result.disableCompression)
    #expect(!result.insecureSkipTLSVerify)
    #expect(try access(kubeconfig(cluster: "insecure-skip-tls-verify: true")).insecureSkipTLSVerify)
  }

  @Test(
    arguments: [
      ("h:8080", "", "http://h:8080"), ("h:8443", "insecure-skip-tls-verify: true", "https://h:8443"),
      ("https://h/path/", "", "https://h/path"), ("HTTP://h", "", "HTTP://h"),
    ])
  func `A server without a scheme is completed as kubectl completes it`(
    server: String, cluster: String, expected: String
  ) throws {
    let text = kubeconfig(cluster: cluster).replacing("https://h:6443", with: server)
    #expect(try access(text).server == expected)
  }

  @Test func `A kubeconfig context whose user is missing or has no credentials is anonymous`() throws {
    let text = kubeconfig().replacing("    user: u\n", with: "")
    #expect(try access(text).credentials == Credentials())
    #expect(try access(kubeconfig()).credentials == Credentials())
  }

  @Test func `A kubeconfig user's impersonation settings are read`() throws {
    let result = try access(
      kubeconfig(user: "as: jane\nas-uid: '5'\nas-groups: [dev, ops]\nas-user-extra: {scopes: [a, b]}"))
    #expect(
      result.impersonate
        == Impersonation(user: "jane", uid: "5", groups: ["dev", "ops"], extra: ["scopes": ["a", "b"]]))
  }

  @Test(
    arguments: [
      ("token: abc", .token("abc")), ("username: u\npassword: p", .basic(user: "u", password: "p")),
      ("token: abc\nexec: {apiVersion: client.authentication.k8s.io/v1beta1, command: x}", .token("abc")),
      ("token: abc\ntokenFile: /run/token", .tokenFile(path: "/run/token", fallback: "abc")),
    ] as [(String, Credentials.Authorization)])
  func `A kubeconfig user's token, token file or password becomes the authorization`(
    user: String, expected: Credentials.Authorization
  ) throws {
    #expect(try access(kubeconfig(user: user)).credentials == Credentials(authorization: expected))
  }

  @Test func `A kubeconfig user's client certificate is read together with a token`() throws {
    let user = "client-certificate-data: \(authorityBase64)\nclient-key-data: \(authorityBase64)\ntoken: abc"
    let pem = Array(authorityPEM.utf8)
    #expect(
      try access(kubeconfig(user: user)).credentials
        == Credentials(clientCertificate: .init(certificate: pem, key: pem), authorization: .token("abc")))
  }

  @Test func `Relative paths in a kubeconfig start at the folder of that file`() throws {
    try TemporaryFolder.with { folder in
      for name in ["ca", "crt", "key"] { try folder.write("kube/pki/\(name)", "-----BEGIN \(name)-----") }
      try folder.write("kube/token", "secret\n")
      let text = kubeconfig(
        cluster: "certificate-authority: pki/ca",
        user: "client-certificate: ./pki/crt\nclient-key: \(folder.path)/kube/pki/key\ntokenFile: token")
      try folder.write("kube/config", text)
      let result = try Kubeconfig.access(
        from: .init(environment: ["KUBECONFIG": "kube/config"], home: nil, workingDirectory: folder.path))
      func pem(_ name: String) -> [UInt8] { Array("-----BEGIN \(name)-----".utf8) }
      #expect(result.certificateAuthority == pem("ca"))
      #expect(
        result.credentials
          == Credentials(
            clientCertificate: .init(certificate: pem("crt"), key: pem("key")),
            authorization: .tokenFile(path: "\(folder.path)/kube/token", fallback: nil)))
    }
  }

  @Test func `A kubeconfig user's credential plugin is read with all of its settings`() throws {
    let exec = """
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: kubelogin
        args: [get-token, --login, azurecli]
        env:
        - {name: A, value: b}
        - {name: EMPTY}
        installHint: install kubelogin
        interactiveMode: Always
        provideClusterInfo: true
      """
    let cluster = """
      certificate-authority-data: \(authorityBase64)
      extensions:
      - name: other
        extension: 5
      - name: client.authentication.k8s.io/exec
        extension: {audience: abc, list: [1]}
      """
    let expected = ExecCredentialPlugin(
      apiVersion: "client.authentication.k8s.io/v1", command: "kubelogin",
      arguments: ["get-token", "--login", "azurecli"],
      environment: [.init(name: "A", value: "b"), .init(name: "EMPTY", value: "")], installHint: "install kubelogin",
      interactiveMode: .always,
      cluster: .init(
        server: "https://h:6443", certificateAuthority: Array(authorityPEM.utf8),
        config: ["audience": "abc", "list": [1]]))
    #expect(try access(kubeconfig(cluster: cluster, user: exec)).credentials.authorization == .exec(expected))
  }

  @Test func `A relative plugin path starts at the kubeconfig's folder, and a bare name is kept for PATH`() throws {
    func command(_ command: String, in folder: TemporaryFolder) throws -> String? {
      let user = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: \(command)}"
      try folder.write("kube/config", kubeconfig(user: user))
      let result = try Kubeconfig.access(
        from: .init(file: "kube/config", environment: [:], home: nil, workingDirectory: folder.path))
      guard case .exec(let plugin) = result.credentials.authorization else { return nil }
      #expect(plugin.interactiveMode == .ifAvailable)
      #expect(plugin.cluster == nil)
      return plugin.command
    }
    try TemporaryFolder.with { folder in
      let commands = try ["aws", "./bin/login", "/opt/login"].map { try command($0, in: folder) }
      #expect(commands == ["aws", "\(folder.path)/kube/bin/login", "/opt/login"])
    }
  }
}
