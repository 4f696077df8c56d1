import DevrunCore
import Testing

@testable import Minicluster

@Suite("The tokens of the minicluster's service accounts")
struct APITokenTests {
  private let tokens = ServiceAccountTokens()

  @Test func `A token stands for its service account`() {
    let token = tokens.token(for: "default", in: "shop", lifetime: 600, audience: ServiceAccountTokens.server)
    #expect(tokens.user(of: token)?.name == "system:serviceaccount:shop:default")
    #expect(tokens.user(of: token)?.groups.contains("system:serviceaccounts:shop") == true)
  }

  @Test func `A token that has expired, is for others or was changed is not valid`() {
    let server = ServiceAccountTokens.server
    let valid = tokens.token(for: "default", in: "shop", lifetime: 600, audience: server)
    let other = tokens.token(for: "admin", in: "shop", lifetime: 600, audience: server)
    let parts = valid.split(separator: ".")
    let swapped = [parts[0], other.split(separator: ".")[1], parts[2]].joined(separator: ".")
    let wrong = [
      tokens.token(for: "default", in: "shop", lifetime: -1, audience: server),
      tokens.token(for: "default", in: "shop", lifetime: 600, audience: "vault"),
      ServiceAccountTokens().token(for: "default", in: "shop", lifetime: 600, audience: server),
      swapped, "", "a.b", "a.b.c", String(valid.dropLast(4)),
    ]
    for token in wrong { #expect(tokens.user(of: token) == nil, "\(token)") }
  }
}
