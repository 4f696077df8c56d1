import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunKube

/// A hundred kubeconfigs, each tried by kubectl and by devrun on servers with different certificates. What kubectl
/// takes, devrun takes. What kubectl refuses, devrun refuses, except where devrun is meant to be more lenient.
@Suite("Kubeconfigs beside kubectl", .enabled(if: isInstalled("kubectl"), "kubectl is not installed"))
struct KubectlComparisonTests {
  private let folder: TemporaryFolder
  private let certificates: Certificates

  init() throws {
    folder = try TemporaryFolder()
    certificates = try Certificates.shared.get()
  }

  /// A part of a kubeconfig: its text, and whether devrun takes it though kubectl does not.
  private struct Part {
    var name: String
    var text: String
    var isOnlyForDevrun = false
  }

  private func base64Text(_ bytes: [UInt8]) -> String { base64(bytes) }

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try folder.write(name, String(decoding: bytes, as: UTF8.self))
  }

  /// The members of clusters. `PORT:server` stands for the port of the server with that certificate.
  private func clusters() -> [Part] {
    let data = "certificate-authority-data: \(base64Text(certificates.authority))"
    let broken = Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
    let bundle = base64Text(broken + certificates.otherAuthority + certificates.authority)
    let address = "server: https://127.0.0.1:PORT"
    let name = "server: https://localhost:PORT"
    return [
      Part(name: "by address", text: "\(address):addressed, \(data)"),
      Part(name: "authority in a file", text: "\(address):addressed, certificate-authority: ca"),
      Part(
        name: "bundle with a broken certificate", text: "\(address):addressed, certificate-authority-data: \(bundle)"),
      Part(name: "another authority", text: "\(address):addressed, certificate-authority: other"),
      Part(name: "no authority", text: "\(address):addressed"),
      Part(name: "unchecked", text: "\(address):named, insecure-skip-tls-verify: true"),
      Part(name: "unchecked, with an authority", text: "\(address):named, insecure-skip-tls-verify: true, \(data)"),
      Part(name: "tls-server-name", text: "\(address):named, tls-server-name: kube.test, \(data)"),
      Part(name: "tls-server-name in capitals", text: "\(address):named, tls-server-name: KUBE.test, \(data)"),
      Part(name: "another tls-server-name", text: "\(address):named, tls-server-name: other.test, \(data)"),
      Part(name: "name, certificate by address", text: "\(name):addressed, \(data)"),
      Part(
        name: "tls-server-name, certificate by address",
        text: "\(address):addressed, tls-server-name: kube.test, \(data)"),
      Part(name: "address as tls-server-name", text: "\(name):addressed, tls-server-name: 127.0.0.1, \(data)"),
      Part(name: "common name", text: "\(address):commonNamed, tls-server-name: kube.test, \(data)"),
      Part(name: "Ed25519", text: "\(address):modern, \(data)"),
      Part(name: "P-521", text: "\(address):long, \(data)"),
      Part(name: "slash at the end", text: "\(address):addressed/, \(data)"),
      Part(name: "empty authority", text: "\(address):addressed, certificate-authority-data: ''"),
      Part(name: "authority that is no base64", text: "\(address):addressed, certificate-authority-data: '%%'"),
    ]
  }

  private func users() -> [Part] {
    func pair(_ certificate: Certificates.Pair, key: Certificates.Pair) -> String {
      "client-certificate-data: \(base64Text(certificate.certificate)), client-key-data: \(base64Text(key.key))"
    }
    func exec(_ output: String, _ more: String = "interactiveMode: Never") -> String {
      let text = base64Text(Array(output.utf8))
      let version = more.contains("beta") ? "" : "apiVersion: \(v1), "
      return "exec: {\(version)command: sh, args: ['-c', 'echo \(text) | base64 -d'], \(more)}"
    }
    func oidc(_ expiration: Int) -> String {
      let claims = base64Text(Array(#"{"exp":\#(expiration)}"#.utf8)).replacing("=", with: "")
      return "auth-provider: {name: oidc, config: {idp-issuer-url: 'https://127.0.0.1:1', client-id: a, "
        + "id-token: e30.\(claims).c2ln}}"
    }
    let beta = "apiVersion: \(v1beta1), interactiveMode: ''"
    return [
      // kubectl asks for a user name. To devrun the user is anonymous.
      Part(name: "none", text: "", isOnlyForDevrun: true), Part(name: "token", text: "token: abc"),
      Part(name: "token twice", text: "token: abc, token: def"),
      Part(name: "token with a line break", text: "token: \"abc\\n\"", isOnlyForDevrun: true),
      Part(name: "token with a line break within", text: "token: \"a\\nc\""),
      Part(name: "token that is a number", text: "token: 7"), Part(name: "token file", text: "tokenFile: token"),
      Part(name: "missing token file", text: "tokenFile: missing"),
      Part(name: "basic", text: "username: a, password: b"),
      Part(name: "token and password", text: "token: a, username: a, password: b"),
      Part(name: "client certificate", text: pair(certificates.user, key: certificates.user)),
      Part(name: "client certificate of Ed25519", text: pair(certificates.modernUser, key: certificates.modernUser)),
      Part(name: "another's key", text: pair(certificates.user, key: certificates.otherUser)),
      Part(name: "client certificate in files", text: "client-certificate: crt, client-key: key"),
      Part(name: "plugin", text: exec(credentialText(#"{"token":"t"}"#))),
      Part(name: "plugin without kind", text: exec(#"{"apiVersion":"\#(v1)","status":{"token":"t"}}"#)),
      Part(
        name: "plugin that prints YAML", text: exec("apiVersion: \(v1)\nkind: ExecCredential\nstatus: {token: t}\n")),
      Part(
        name: "plugin whose token ends in a line break", text: exec(credentialText(#"{"token":"t\n"}"#)),
        isOnlyForDevrun: true),
      Part(name: "plugin of another version", text: exec(credentialText(#"{"token":"t"}"#, apiVersion: v1beta1))),
      Part(name: "empty interactiveMode", text: exec(credentialText(#"{"token":"t"}"#, apiVersion: v1beta1), beta)),
      Part(name: "empty interactiveMode of v1", text: exec(credentialText(#"{"token":"t"}"#), "interactiveMode: ''")),
      Part(name: "missing plugin", text: "exec: {apiVersion: \(v1), command: /missing, interactiveMode: Never}"),
      Part(name: "id-token", text: oidc(4_000_000_000)), Part(name: "id-token that has ended", text: oidc(1)),
      Part(name: "auth-provider that is gone", text: "auth-provider: {name: gcp}"),
      Part(name: "acting as another", text: "token: abc, as: bob, as-groups: [a, b]"),
      Part(name: "groups without a user", text: "token: abc, as-groups: [a]"),
    ]
  }

  /// What stands around the kubeconfig's own text.
  private let forms: [(name: String, before: String, after: String)] = [
    ("plain", "", ""), ("end of document", "---\n", "\n---\n"), ("second document", "", "\n---\nkind: Pod\n"),
    ("a key twice", "current-context: nowhere\n", "\ncurrent-context: c\n"),
    ("kind and version", "apiVersion: v1\nkind: Config\n", "\n"), ("unknown key", "colors: true\n", ""),
  ]

  private func answers() async throws -> [String: LoopbackServer] {
    let pairs = [
      "addressed": certificates.addressed, "named": certificates.named, "commonNamed": certificates.commonNamed,
      "modern": certificates.modern, "long": certificates.long,
    ]
    var servers: [String: LoopbackServer] = [:]
    for (name, pair) in pairs {
      servers[name] = try await LoopbackServer.start(tls: try serverTLS(pair)) { _, _ in .json(200, ["items": []]) }
    }
    return servers
  }

  @Test func `devrun takes what kubectl takes, and refuses what kubectl refuses`() async throws {
    try write("ca", certificates.authority)
    try write("other", certificates.otherAuthority)
    try write("crt", certificates.user.certificate)
    try write("key", certificates.user.key)
    try write("token", Array("abc\n".utf8))
    let servers = try await answers()
    let (clusters, users) = (clusters(), users())
    for index in 0..<108 {
      // Each cluster meets the plain token first and each user the plain cluster; the rest is mixed.
      let cluster = index < users.count ? clusters[0] : clusters[index % clusters.count]
      let user =
        index < users.count
        ? users[index] : index < users.count + clusters.count ? users[1] : users[index * 7 % users.count]
      let form = forms[index % forms.count]
      var text = """
        \(form.before)clusters: [{name: k, cluster: {\(cluster.text)}}]
        users: [{name: u, user: {\(user.text)}}]
        contexts: [{name: c, context: {cluster: k, user: u}}]
        """
      if form.name != "a key twice" { text += "\ncurrent-context: c" }
      text += form.after
      for (name, server) in servers { text = text.replacing("PORT:\(name)", with: String(server.port)) }
      try folder.write("config", text)
      let mine = try await devrunsAnswer()
      let kubectls = try await TestProcess.run(
        ["sh", "-c", "kubectl --kubeconfig '\(folder.path("config"))' get --raw /api/v1/namespaces && echo taken"],
        environment: TestProcess.environment.merging(["HOME": RawString(folder.path)]), expecting: nil)
      let isTaken = kubectls.output.hasSuffix("taken\n")
      let isLenient = cluster.isOnlyForDevrun || user.isOnlyForDevrun
      #expect(
        (mine == nil) == isTaken || (mine == nil && isLenient),
        "\(cluster.name), \(user.name), \(form.name): devrun: \(mine ?? "taken"); kubectl: \(kubectls)")
    }
    for server in servers.values { try await server.stop() }
  }

  /// Why devrun does not take the kubeconfig; `nil` if it does.
  private func devrunsAnswer() async throws -> String? {
    do {
      let access = try Kubeconfig.access(
        from: .init(file: "config", environment: [:], home: nil, workingDirectory: folder.path))
      try await withClient(access, environment: TestProcess.environment) { client in
        _ = try await client.get(.namespaces)
      }
      return nil
    } catch {
      return "\(error)"
    }
  }
}
