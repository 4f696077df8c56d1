import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Output of credential plugins")
struct ExecCredentialTests {
  @Test func `A plugin's output can hold a token, a client certificate and an expiration`() throws {
    let text = credentialText(
      #"{"token":"t","clientCertificateData":"C","clientKeyData":"K","expirationTimestamp":"2030-01-02T03:04:05Z"}"#)
    let credential = try ExecCredential(output: Array(text.utf8), command: "x", apiVersion: v1)
    #expect(credential.token == "t")
    #expect(credential.clientCertificate == .init(certificate: Array("C".utf8), key: Array("K".utf8)))
    #expect(credential.expiration == Date(timeIntervalSince1970: 1_893_553_445))
  }

  @Test(arguments: ["2030-01-02T03:04:05Z", "2030-01-02T03:04:05.000000000Z", "2030-01-02T05:04:05+02:00"])
  func `A plugin's expiration is read from any RFC 3339 form`(text: String) throws {
    let output = credentialText(#"{"token":"t","expirationTimestamp":"\#(text)"}"#)
    let credential = try ExecCredential(output: Array(output.utf8), command: "x", apiVersion: v1)
    #expect(credential.expiration == Date(timeIntervalSince1970: 1_893_553_445))
  }

  @Test(
    arguments: [
      ("", "nothing"), ("hello", "neither JSON nor YAML"), ("a: b: c", "neither JSON nor YAML"),
      ("{}", "no apiVersion"), (#"{"apiVersion":"\#(v1)","kind":"Pod"}"#, "no ExecCredential"),
      (credentialText(#"{"token":"t"}"#, apiVersion: v1beta1), "the kubeconfig says \(v1)"),
      (#"{"apiVersion":"\#(v1)","kind":"ExecCredential"}"#, "no status"),
      (credentialText("{}"), "neither"), (credentialText(#"{"token":""}"#), "neither"),
      (credentialText(#"{"clientCertificateData":"C"}"#), "together"),
      (credentialText(#"{"token":"t","expirationTimestamp":"tomorrow"}"#), "no RFC 3339 time"),
      (credentialText(#"{"token":"secret\nsecret"}"#), "a line break or another control character"),
    ])
  func `Unusable output of a plugin is refused with the reason`(output: String, words: String) throws {
    let error = #expect(throws: CredentialError.self) {
      try ExecCredential(output: Array(output.utf8), command: "login", apiVersion: v1)
    }
    #expect(error?.message.what == "the credential plugin 'login' gave no usable credentials")
    #expect(error?.message.why?.contains(words) == true)
    #expect(error?.description.contains("secret") == false)
  }

  @Test(
    arguments: [
      #"{"apiVersion":"\#(v1)","status":{"token":"t\n"}}"#, "apiVersion: \(v1)\nstatus: {token: t}\n",
      "---\napiVersion: \(v1)\nkind: ExecCredential\nstatus:\n  token: |\n    t\n",
      credentialText(#"{"token":" t\r\n"}"#),
    ])
  func `A plugin's output may lack the kind or be YAML, and white space around the token is removed`(text: String)
    throws
  {
    let credential = try ExecCredential(output: Array(text.utf8), command: "x", apiVersion: v1)
    #expect(credential.token == "t")
  }
}

@Suite("Credentials")
struct CredentialSourceTests {
  private static func unused(_ plugin: ExecCredentialPlugin) async throws -> ExecCredential {
    throw CredentialError.pluginOutput(command: plugin.command, problem: "it must not run")
  }

  private static func execCredential(_ token: String, expiration: Date? = nil) throws -> ExecCredential {
    var credential = try ExecCredential(
      output: Array(credentialText(#"{"token":"\#(token)"}"#).utf8), command: "x", apiVersion: v1)
    credential.expiration = expiration
    return credential
  }

  @Test(
    arguments: [
      (Credentials.Authorization.token("t"), "Bearer t"),
      (.basic(user: "me", password: "p:q"), "Basic bWU6cDpx"),
    ])
  func `A fixed token or password becomes a header and is not renewed after a refusal`(
    authorization: Credentials.Authorization, header: String
  ) async throws {
    let certificate = Credentials.ClientCertificate(certificate: [1], key: [2])
    let source = CredentialSource(
      Credentials(clientCertificate: certificate, authorization: authorization), runPlugin: Self.unused)
    let credential = try await source.credential()
    #expect(credential.authorization == header)
    #expect(credential.clientCertificate == certificate)
    let isWorthwhile = await source.refused(credential)
    #expect(!isWorthwhile)
  }

  @Test func `A token file is read again after a minute or when its token is refused`() async throws {
    let folder = try TemporaryFolder()
    let file = URL(filePath: folder.path("token"))
    let time = NIOLockedValueBox(Date(timeIntervalSince1970: 0))
    let source = CredentialSource(
      Credentials(authorization: .tokenFile(path: file.path, fallback: nil)), now: { time.withLockedValue { $0 } },
      runPlugin: Self.unused)
    func header() async throws -> String? { try await source.credential().authorization }

    try Data("one\n".utf8).write(to: file)
    #expect(try await header() == "Bearer one")
    try Data("two".utf8).write(to: file)
    time.withLockedValue { $0 += 59 }
    #expect(try await header() == "Bearer one")
    time.withLockedValue { $0 += 2 }
    #expect(try await header() == "Bearer two")
    try Data("three".utf8).write(to: file)
    let refused = try await source.credential()
    #expect(await source.refused(refused))
    #expect(try await header() == "Bearer three")
  }

  @Test func `An unusable token file is an error unless the kubeconfig has a token as well`() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path("token")
    let source = CredentialSource(
      Credentials(authorization: .tokenFile(path: path, fallback: nil)), runPlugin: Self.unused)
    let error = try await caught(CredentialError.self) { _ = try await source.credential() }
    #expect(error?.message.what == "the token file \(path) cannot be used")
    try Data(" \n".utf8).write(to: URL(filePath: path))
    await #expect(throws: CredentialError.tokenFile(path: path, problem: "it is empty")) {
      _ = try await source.credential()
    }
    let other = CredentialSource(
      Credentials(authorization: .tokenFile(path: path + "x", fallback: "f")), runPlugin: Self.unused)
    #expect(try await other.credential().authorization == "Bearer f")
  }

  @Test func `A plugin's credentials are kept until they expire or are refused`() async throws {
    let time = NIOLockedValueBox(Date(timeIntervalSince1970: 0))
    let runs = NIOLockedValueBox(0)
    let plugin = ExecCredentialPlugin(apiVersion: v1, command: "x")
    let source = CredentialSource(
      Credentials(authorization: .exec(plugin)), now: { time.withLockedValue { $0 } }
    ) { _ in
      let run = runs.withLockedValue { runs in
        runs += 1
        return runs
      }
      return try Self.execCredential("run \(run)", expiration: time.withLockedValue { $0 } + 100)
    }
    func header() async throws -> String? { try await source.credential().authorization }
    #expect(try await header() == "Bearer run 1")
    time.withLockedValue { $0 += 99 }
    #expect(try await header() == "Bearer run 1")
    time.withLockedValue { $0 += 1 }
    let second = try await source.credential()
    #expect(second.authorization == "Bearer run 2")
    #expect(await source.refused(second))
    #expect(try await header() == "Bearer run 3")
    // Another request that used the second one is late: there is a newer one already.
    #expect(await source.refused(second))
    #expect(try await header() == "Bearer run 3")
  }

  @Test func `Simultaneous requests for a plugin's credentials share one run`() async throws {
    let runs = NIOLockedValueBox(0)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let source = CredentialSource(
      Credentials(authorization: .exec(ExecCredentialPlugin(apiVersion: v1, command: "x")))
    ) { _ in
      runs.withLockedValue { $0 += 1 }
      for await _ in gate { break }
      return try Self.execCredential("t")
    }
    let headers = try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<20 { group.addTask { try await source.credential().authorization } }
      open.yield()
      return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(headers == ["Bearer t"])
    #expect(runs.withLockedValue { $0 } == 1)
  }

  @Test func `Refused credentials are renewed once if possible, otherwise the refusal is reported`() async throws {
    let folder = try TemporaryFolder()
    let plugin = try folder.plugin(
      #"""
      echo run >>"$OUT/runs"
      n=$(wc -l <"$OUT/runs")
      echo '{"apiVersion":"\#(v1)","kind":"ExecCredential","status":{"token":"'$n'"}}'
      """#)
    let authorization = Credentials.Authorization.exec(plugin)
    try await withServer(
      access: {
        ClusterAccess(
          server: "http://127.0.0.1:\($0)", contextName: "dev", credentials: Credentials(authorization: authorization))
      }, environment: ["PATH": "/usr/bin:/bin", "OUT": RawString(folder.path)]
    ) { request, _ in
      request.headers["Authorization"] == ["Bearer 2"]
        ? .json(200, ["ok": true]) : .status(401, reason: "Unauthorized", message: "Unauthorized")
    } _: { client, server in
      let value = try await client.get(.namespaces)
      #expect(value == ["ok": true])
      _ = try await client.get(.namespaces)
      #expect(
        server.requests.map { $0.headers["Authorization"] } == [["Bearer 1"], ["Bearer 2"], ["Bearer 2"]])
    }
    try await withServer(
      access: {
        ClusterAccess(
          server: "http://127.0.0.1:\($0)", contextName: "dev",
          credentials: Credentials(authorization: .token("secret")))
      }
    ) { _, _ in
      .status(401, reason: "Unauthorized", message: "Unauthorized")
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error == .unauthorized(context: "dev", server: client.server, words: "Unauthorized"))
      #expect(error?.description.contains("secret") == false)
      #expect(server.requests.count == 1)
    }
  }
}

extension CredentialSource {
  /// A source of credentials that cannot be read again.
  init(
    _ credentials: Credentials, now: @escaping @Sendable () -> Date = { Date() },
    runPlugin: @escaping @Sendable (ExecCredentialPlugin) async throws -> ExecCredential
  ) {
    self.init(
      ClusterAccess(server: "https://127.0.0.1", contextName: "c", credentials: credentials), isUsable: { _ in true },
      now: now, runPlugin: runPlugin)
  }
}
