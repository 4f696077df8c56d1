import DevrunCore
import Foundation
import TestSupport
import Testing

@testable import DevrunConfig

@Suite("Tokens written back to a kubeconfig")
struct TokenRewriteTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var text: String
    var new = "new.token"
    /// The text that is made; `nil` if the tokens cannot be replaced.
    var result: String?
    var testDescription: String { text.debugDescription }
  }

  @Test(arguments: [
    Case(text: "# mine\na: old  # x\nb: 1\n", result: "# mine\na: new.token  # x\nb: 1\n"),
    Case(text: "a: 'old'\r\nb: 1\r\n", result: "a: 'new.token'\r\nb: 1\r\n"),
    Case(text: #"{"a": "old", "b": [1]}"#, result: #"{"a": "new.token", "b": [1]}"#),
    Case(text: "{a: old, b: 1}", result: "{a: new.token, b: 1}"),
    Case(text: "a: old", result: "a: new.token"),
    Case(text: "a: old\n", new: "1234", result: "a: \"1234\"\n"),
    Case(text: "a: old\n", new: "true", result: "a: \"true\"\n"),
    Case(text: "a: 'old'\n", new: "it's", result: "a: \"it's\"\n"),
    Case(text: "a: old\n", new: #"q"b\c: #"#, result: "a: \"q\\\"b\\\\c: #\"\n"),
    Case(text: "a: old\n---\nb: 1\n", result: "a: new.token\n---\nb: 1\n"),
    Case(text: "a: old\nb: old\n"), Case(text: "a: older\n"), Case(text: "a: my-old\n"), Case(text: "a: other\n"),
    Case(text: "# old\na: other\n"), Case(text: "a: |\n  old\n"), Case(text: "a: 'x old'\n"), Case(text: "a: x old\n"),
    Case(text: "a: \"old\n"), Case(text: ""),
  ])
  func `A token is replaced if it stands there once as a whole scalar, and all else stays`(example: Case) {
    let result = TokenRewrite.apply([.init(old: "old", new: example.new)], to: Array(example.text.utf8))
    #expect(result.map { String(decoding: $0, as: UTF8.self) } == example.result)
  }

  private func token(_ token: String, refresh: String, in path: String) -> Credentials.IDToken {
    .init(
      token: token, expiration: 1,
      refresh: .init(issuer: "https://i", clientID: "c", refreshToken: refresh, kubeconfig: path))
  }

  @Test func `A symbolic link stays, and the file that it leads to is replaced with its mode`() throws {
    try TemporaryFolder.with { folder in
      try folder.write("real", "a: id1\nb: r1\n")
      let (real, link) = (folder.path("real"), folder.path("link"))
      #expect(chmod(real, 0o640) == 0)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "real")
      try Kubeconfig.replace(token("id1", refresh: "r1", in: link), with: token("id2", refresh: "r2", in: link))
      #expect(try folder.text(of: "real") == "a: id2\nb: r2\n")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "real")
      let mode = try FileManager.default.attributesOfItem(atPath: real)[.posixPermissions] as? Int
      #expect(mode == 0o640)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["link", "real"])
    }
  }

  @Test func `A file that is locked, read-only or changed is left alone`() throws {
    try TemporaryFolder.with { folder in
      let path = try folder.write("config", "a: id1\nb: r1\n")
      let (old, new) = (token("id1", refresh: "r1", in: path), token("id2", refresh: "r2", in: path))
      try folder.write("config.lock", "")
      #expect(throws: TokenWriteError.locked(path: path + ".lock")) { try Kubeconfig.replace(old, with: new) }
      #expect(FileManager.default.fileExists(atPath: path + ".lock"))
      try FileManager.default.removeItem(atPath: path + ".lock")
      #expect(chmod(path, 0o400) == 0)
      let error = #expect(throws: TokenWriteError.self) { try Kubeconfig.replace(old, with: new) }
      #expect(error == .notPossible("Permission denied"))
      #expect(chmod(path, 0o600) == 0)
      #expect(try folder.text(of: "config") == "a: id1\nb: r1\n")
      try folder.write("config", "a: id3\nb: r3\n")
      #expect(throws: TokenWriteError.notFound) { try Kubeconfig.replace(old, with: new) }
      #expect(try folder.text(of: "config") == "a: id3\nb: r3\n")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["config"])
    }
  }
}
