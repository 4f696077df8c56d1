import DevrunConfig
import DevrunCore
import DevrunYAML
import Foundation
import TestSupport
import Testing

@Suite("Kubeconfigs that kubectl takes")
struct KubeconfigAsKubectlTests {
  @Test func `Of a key that occurs twice the last one counts, with a warning`() throws {
    let text = kubeconfig(user: "token: one\ntoken: two") + "\ncurrent-context: c\n"
    let access = try access(
      "current-context: nowhere\n" + text.replacing("current-context: c\nclusters", with: "clusters"))
    #expect(access.credentials.authorization == .token("two"))
    #expect(access.contextName == "c")
    #expect(
      access.warnings.map { $0.what.replacing(/^.*\/config/, with: "") } == [
        ":14:5: the key 'token' is there already, in line 13",
        ":21:1: the key 'current-context' is there already, in line 1",
      ])
  }

  @Test(arguments: ["---\n", "...\n", "---\nkind: Pod\n", "---\n{ this is: no [ YAML\n"])
  func `Only the first document of a kubeconfig counts`(rest: String) throws {
    #expect(try access(kubeconfig(user: "token: t") + "\n" + rest).credentials.authorization == .token("t"))
  }

  @Test(arguments: ["{\"name\":null,\"context\":{}}", "{\"context\":{}}", "null", "7", "[]"])
  func `An entry that nothing can refer to does no harm`(entry: String) throws {
    let text = """
      {"current-context": "c",
       "clusters": [\(entry), {"name": "k", "cluster": {"server": "https://h"}}],
       "users": [{"name": "u", "user": {"token": "t"}}, \(entry)],
       "contexts": [\(entry), {"name": "c", "context": {"cluster": "k", "user": "u"}}]}
      """
    #expect(try access(text).credentials.authorization == .token("t"))
  }

  @Test func `An empty interactiveMode means the same as none`() throws {
    let exec = "exec:\n  command: login\n  interactiveMode: ''\n  apiVersion: client.authentication.k8s.io/"
    guard case .exec(let plugin) = try access(kubeconfig(user: exec + "v1beta1")).credentials.authorization else {
      Issue.record("no plugin")
      return
    }
    #expect(plugin.interactiveMode == .ifAvailable)
    let error = try #require(throws: YAMLError.self) { try access(kubeconfig(user: exec + "v1")) }
    #expect(error.message.what.contains("must have 'interactiveMode'"))
  }

  @Test(arguments: [
    "command: \"a\\0b\"", "command: a\n  args: [b, \"\\0\"]", "command: a\n  env: [{name: b, value: \"\\0\"}]",
  ])
  func `No part of a plugin's command line may hold the character NUL`(part: String) throws {
    let exec = "exec:\n  apiVersion: client.authentication.k8s.io/v1beta1\n  \(part)"
    let error = try #require(throws: YAMLError.self) { try access(kubeconfig(user: exec)) }
    #expect(error.message.what.hasSuffix("must not hold the character NUL"))
  }

  @Test func `The line break of a token in a block is removed`() throws {
    #expect(try access(kubeconfig(user: "token: |\n  abc")).credentials.authorization == .token("abc"))
  }
}

@Suite("Kubeconfigs with auth-provider: oidc")
struct OIDCKubeconfigTests {
  /// A JSON Web Token with the given claims.
  static func token(_ claims: String) -> String {
    let part = Data(claims.utf8).base64EncodedString().replacing("=", with: "").replacing("/", with: "_")
      .replacing("+", with: "-")
    return "e30.\(part).c2ln"
  }

  @Test(arguments: [(#"{"exp":1893553445}"#, 1_893_553_445), (#"{"exp":1893553445.5}"#, 1_893_553_445)])
  func `The id-token is read with its expiration`(claims: String, expiration: Int64) throws {
    let token = Self.token(claims)
    let user = "auth-provider:\n  name: oidc\n  config: {id-token: \(token), refresh-token: r, client-id: c}"
    guard case .idToken(let read) = try access(kubeconfig(user: user)).credentials.authorization else {
      Issue.record("no id-token")
      return
    }
    #expect(read.token == token)
    #expect(read.expiration == expiration)
    #expect(read.refresh?.refreshToken == "r")
    #expect(read.refresh?.clientID == "c")
  }

  @Test func `A user without an id-token is read, and a fixed token has precedence`() throws {
    let provider = "auth-provider:\n  name: oidc\n  config: {client-id: a}"
    #expect(
      try access(kubeconfig(user: provider)).credentials.authorization
        == .idToken(.init(token: "", expiration: nil)))
    #expect(try access(kubeconfig(user: provider + "\ntoken: t")).credentials.authorization == .token("t"))
  }

  @Test(arguments: ["abc", "a.b.c", "e30.e30.e30", OIDCKubeconfigTests.token(#"{"exp":"soon"}"#)])
  func `An id-token that is no JSON Web Token is refused without being printed`(token: String) throws {
    let error = try #require(throws: YAMLError.self) {
      try access(kubeconfig(user: "auth-provider:\n  name: oidc\n  config: {id-token: \(token)}"))
    }
    #expect(error.message.what.hasSuffix("id-token is no JSON Web Token with an expiration"))
  }
}

@Suite("Access that is read again")
struct AccessSourceTests {
  @Test func `A file of a certificate that is replaced or written has another version, and the access is read again`()
    throws
  {
    try TemporaryFolder.with { folder in
      func pem(_ text: String) -> String { "-----BEGIN CERTIFICATE-----\n\(text)\n" }
      try folder.write("ca.crt", pem("one"))
      try folder.write("config", kubeconfig(cluster: "certificate-authority: ca.crt", user: "token: a"))
      let locations = Kubeconfig.Locations(
        file: "config", environment: [:], home: nil, workingDirectory: folder.path)
      let source = try #require(try Kubeconfig.access(from: locations).source)
      #expect(source.files == ["\(folder.path)/ca.crt"])
      let versions = source.versions
      #expect(versions == source.versions)
      try folder.write("ca.crt", pem("second"))
      #expect(versions != source.versions)
      #expect(try source.read()?.certificateAuthority == Array(pem("second").utf8))
      // The context stays, whatever the current one is by then.
      try folder.write(
        "config", kubeconfig(user: "token: b").replacing("current-context: c", with: "current-context: d"))
      #expect(try source.read()?.credentials.authorization == .token("b"))
    }
  }

  @Test func `A kubeconfig that came through a pipe is not read again`() throws {
    try TemporaryFolder.with { folder in
      try folder.write("config", kubeconfig())
      let locations = Kubeconfig.Locations(
        file: "config", environment: [:], home: nil, workingDirectory: folder.path)
      let source = try #require(try Kubeconfig.access(from: locations).source)
      try FileManager.default.removeItem(atPath: folder.path("config"))
      #expect(mkfifo(folder.path("config"), 0o600) == 0)
      #expect(try source.read() == nil)
    }
  }
}
