import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Renewal of id-tokens")
struct IDTokenRenewalTests {
  private let ended = webToken(1)

  private static let rotating: @Sendable (SeenRequest, Int) -> [Step] = { _, index in
    .json(
      200, ["access_token": "a", "id_token": .string(freshToken), "refresh_token": .string("refresh-\(index + 2)")])
  }

  @Test func `A valid id-token is sent without asking the issuer`() async throws {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let token = webToken(3_000_000_000)
    let source = issuer.source(try issuer.access(token))
    #expect(try await source.credential().authorization == "Bearer " + token)
    #expect(issuer.server.requests.isEmpty)
    try await issuer.server.stop()
  }

  @Test func `An id-token that has ended is renewed once for all, and written back with all else kept`() async throws {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let source = issuer.source(try issuer.access(ended))
    let before = try issuer.folder.text(of: "config")
    let headers = try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<10 { group.addTask { try await source.credential().authorization } }
      return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(headers == ["Bearer " + freshToken])
    #expect(issuer.asked.count == 1)
    let request = try #require(issuer.asked.first)
    #expect(request.uri == "/token/?p=1")
    #expect(request.headers["Authorization"] == ["Basic " + base64("my+client:s3cret%26more".utf8)])
    #expect(String(decoding: request.body, as: UTF8.self) == "grant_type=refresh_token&refresh_token=refresh-1")
    #expect(
      try issuer.folder.text(of: "config")
        == before.replacing(ended, with: freshToken).replacing("refresh-1", with: "refresh-2"))
    #expect(issuer.secrets.withLockedValue { $0 } == [freshToken, "refresh-2"])
    #expect(issuer.warnings.withLockedValue { $0 }.isEmpty)
    try await issuer.server.stop()
  }

  @Test func `A client whose header is refused is named in the body`() async throws {
    let issuer = try await OIDCIssuer.start { _, index in
      index == 0 ? .json(401, ["error": "invalid_client"]) : .json(200, ["id_token": .string(freshToken)])
    }
    #expect(try await issuer.source(try issuer.access(ended)).credential().authorization == "Bearer " + freshToken)
    let request = try #require(issuer.asked.last)
    #expect(!request.headers.contains(name: "Authorization"))
    #expect(
      String(decoding: request.body, as: UTF8.self)
        == "grant_type=refresh_token&refresh_token=refresh-1&client_id=my+client&client_secret=s3cret%26more")
    try await issuer.server.stop()
  }

  @Test(.enabled(if: isInstalled("kubectl"), "kubectl is not installed"))
  func `The issuer gets the requests that kubectl sends, and kubectl reads the file afterwards`() async throws {
    let issuer = try await OIDCIssuer.start { request, _ in
      request.headers.contains(name: "Authorization")
        ? .json(401, ["error": "invalid_client"])
        : .json(200, ["access_token": "a", "id_token": .string(freshToken), "refresh_token": "refresh-2"])
    }
    func kubectl(_ words: String) async throws -> String {
      try await TestProcess.run(
        ["sh", "-c", "kubectl --kubeconfig '\(issuer.folder.path("config"))' \(words); exit 0"],
        environment: TestProcess.environment.merging(["HOME": RawString(issuer.folder.path)])
      ).output
    }
    _ = try issuer.access(ended)
    _ = try await kubectl("get --raw /version")
    let kubectls = issuer.asked
    #expect(kubectls.count == 2)
    let source = issuer.source(try issuer.access(ended))
    #expect(try await source.credential().authorization == "Bearer " + freshToken)
    let own = issuer.asked.dropFirst(2)
    #expect(own.map { $0.headers["Authorization"] } == kubectls.map { $0.headers["Authorization"] })
    func fields(_ request: SeenRequest) -> [String] {
      String(decoding: request.body, as: UTF8.self).split(separator: "&").map(String.init).sorted()
    }
    #expect(own.map(fields) == kubectls.map(fields))
    #expect(own.map { $0.headers["Content-Type"] } == kubectls.map { $0.headers["Content-Type"] })
    #expect(try await kubectl("config view --raw").contains("refresh-token: refresh-2"))
    try await issuer.server.stop()
  }

  struct Failure: Sendable, CustomTestStringConvertible {
    var status: Int
    var body: JSONValue
    var words: String
    var requests: Int
    var testDescription: String { words }
  }

  @Test(arguments: [
    Failure(status: 400, body: ["error": "invalid_grant"], words: "invalid_grant", requests: 1),
    Failure(status: 401, body: ["error": "invalid_client"], words: "HTTP status 401, invalid_client", requests: 2),
    Failure(status: 400, body: ["error": "refresh-1 s3cret&more"], words: "an error of its own", requests: 2),
    Failure(status: 503, body: "refresh-1", words: "HTTP status 503", requests: 1),
    Failure(status: 307, body: [:], words: "HTTP status 307", requests: 1),
    Failure(status: 200, body: ["access_token": "a"], words: "no id_token", requests: 1),
    Failure(status: 200, body: ["id_token": "refresh-1"], words: "no new JSON Web Token", requests: 1),
    Failure(status: 200, body: "refresh-1", words: "no JSON", requests: 1),
  ])
  func `An issuer that gives no token is reported with the cause and without a secret`(failure: Failure) async throws {
    let issuer = try await OIDCIssuer.start { _, _ in
      .json(failure.status, failure.body, ["Location": "https://other.test/token"])
    }
    let source = issuer.source(try issuer.access(ended))
    let error = try #require(try await caught(CredentialError.self) { _ = try await source.credential() })
    #expect(error.message.why?.contains(failure.words) == true)
    #expect(error.message.remedy != nil)
    #expect(!error.description.contains("refresh-1") && !error.description.contains("s3cret"))
    #expect(issuer.asked.count == failure.requests)
    try await issuer.server.stop()
  }

  @Test func `A refresh token that was refused is not sent again until the kubeconfig has another`() async throws {
    let issuer = try await OIDCIssuer.start { request, _ in
      String(decoding: request.body, as: UTF8.self).contains("refresh-1")
        ? .json(400, ["error": "invalid_grant"]) : .json(200, ["id_token": .string(freshToken)])
    }
    let source = issuer.source(try issuer.access(ended))
    for _ in 0..<3 {
      let error = try await caught(CredentialError.self) { _ = try await source.credential() }
      #expect(error?.message.remedy?.contains("log in again") == true)
    }
    #expect(issuer.asked.count == 1)
    _ = try issuer.access(ended, refresh: "refresh-9")
    #expect(try await source.credential().authorization == "Bearer " + freshToken)
    try await issuer.server.stop()
  }

  @Test func `An issuer that cannot be reached or trusted is reported as such`() async throws {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let other = try issuer.access(ended, authority: Certificates.shared.get().otherAuthority)
    let distrust = try await caught(CredentialError.self) { _ = try await issuer.source(other).credential() }
    #expect(distrust?.message.remedy?.contains("idp-certificate-authority") == true)
    #expect(issuer.server.requests.isEmpty)
    let access = try issuer.access(ended)
    try await issuer.server.stop()
    let error = try await caught(CredentialError.self) { _ = try await issuer.source(access).credential() }
    #expect(error?.message.why == "connection refused")
    #expect(error?.message.what.contains("https://127.0.0.1:\(issuer.server.port)/dex") == true)
  }

  @Test func `Without a refresh token an ended id-token is an error that names the plugin`() async throws {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let source = issuer.source(try issuer.access(ended, refresh: nil))
    let error = try await caught(CredentialError.self) { _ = try await source.credential() }
    #expect(error == .idToken(isMissing: false))
    #expect(error?.message.remedy?.contains("int128/kubelogin") == true)
    try await issuer.server.stop()
  }

  @Test func `A token that kubectl has renewed meanwhile is taken without asking the issuer`() async throws {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let source = issuer.source(try issuer.access(ended))
    let renewed = webToken(3_000_000_000)
    _ = try issuer.access(renewed, refresh: "refresh-7")
    #expect(try await source.credential().authorization == "Bearer " + renewed)
    #expect(issuer.server.requests.isEmpty)
    try await issuer.server.stop()
  }

  @Test func `A file that has changed while the issuer was asked is kept, and its token is taken`() async throws {
    let folder = NIOLockedValueBox<TemporaryFolder?>(nil)
    let renewed = webToken(3_000_000_000)
    let issuer = try await OIDCIssuer.start { _, index in
      folder.withLockedValue { folder in
        guard let folder, let text = try? folder.text(of: "config") else { return }
        _ = try? folder.write(
          "config", text.replacing(webToken(1), with: renewed).replacing("refresh-1", with: "refresh-7"))
      }
      return Self.rotating(SeenRequest(method: .POST, uri: "", headers: [:], body: []), index)
    }
    folder.withLockedValue { $0 = issuer.folder }
    let source = issuer.source(try issuer.access(ended))
    #expect(try await source.credential().authorization == "Bearer " + renewed)
    #expect(try issuer.folder.text(of: "config").contains("'refresh-7'"))
    #expect(issuer.warnings.withLockedValue { $0 }.isEmpty)
    try await issuer.server.stop()
  }

  @Test func `Where the file is read-only the session goes on with the new tokens, and warns once`() async throws {
    let almost = Int(Date().timeIntervalSince1970) + 5
    let issuer = try await OIDCIssuer.start { _, index in
      .json(
        200,
        [
          "id_token": .string(index == 0 ? webToken(almost) : freshToken),
          "refresh_token": .string("refresh-\(index + 2)"),
        ])
    }
    let source = issuer.source(try issuer.access(ended))
    let before = try issuer.folder.text(of: "config")
    #expect(chmod(issuer.folder.path("config"), 0o400) == 0)
    // The first new token ends within the leeway, so that it is sent once only.
    #expect(try await source.credential().authorization == "Bearer " + webToken(almost))
    #expect(try await source.credential().authorization == "Bearer " + freshToken)
    #expect(try await source.credential().authorization == "Bearer " + freshToken)
    #expect(issuer.asked.map { String(decoding: $0.body, as: UTF8.self).suffix(9) } == ["refresh-1", "refresh-2"])
    #expect(try issuer.folder.text(of: "config") == before)
    let warnings = issuer.warnings.withLockedValue { $0 }
    #expect(warnings.count == 1)
    #expect(warnings.first?.remedy?.contains("log in again") == true)
    #expect(warnings.first?.description.contains("refresh-2") == false)
    try await issuer.server.stop()
  }

  @Test func `A lock that nobody takes away delays the session for a moment, and is named in the warning`() async throws
  {
    let issuer = try await OIDCIssuer.start(Self.rotating)
    let source = issuer.source(try issuer.access(ended))
    let before = try issuer.folder.text(of: "config")
    try issuer.folder.write("config.lock", "")
    #expect(try await source.credential().authorization == "Bearer " + freshToken)
    #expect(try issuer.folder.text(of: "config") == before)
    #expect(issuer.warnings.withLockedValue { $0 }.first?.why?.contains("config.lock") == true)
    try await issuer.server.stop()
  }

  @Test(arguments: [
    ("https://i.test/token/?p=1#f", "/token/?p=1"), ("https://i.test", "/"), ("https://i.test?p=1", "/?p=1"),
    ("http://127.0.0.1:1/t", "/t"), ("http://i.test/t", nil), ("https://a:b@i.test/t", nil), ("socks5://i.test", nil),
    ("https://i.test/a b", nil),
  ])
  func `Tokens are asked for over https, or on loopback`(text: String, target: String?) {
    #expect(IssuerURL(text)?.target == target)
  }

  @Test func `A redirection is followed on the same server only`() throws {
    let url = try #require(IssuerURL("https://i.test/a"))
    #expect(url.redirected(to: "/b")?.target == "/b")
    #expect(url.redirected(to: "https://i.test:443/b")?.target == "/b")
    for place in ["https://other.test/b", "//other.test/b", "http://i.test/b", "https://i.test:444/b"] {
      #expect(url.redirected(to: place) == nil)
    }
  }
}
