import DevrunTunnel
import Testing

@Suite struct PrefaceTests {
  private static let secret = (0..<32).map { UInt8($0) }
  private static let attachment = (100..<116).map { UInt8($0) }

  @Test(arguments: ConnectionRole.allCases)
  func `A preface is read as it was written, in pieces of any size`(role: ConnectionRole) throws {
    let sent = Preface(role: role, attachment: Self.attachment, secret: Self.secret)
    for size in 1...sent.bytes.count {
      var parser = PrefaceParser()
      var rest = (sent.bytes + Array("PRI *".utf8))[...]
      var received: Preface?
      while received == nil, !rest.isEmpty {
        let (taken, preface) = try parser.preface(from: rest.prefix(size))
        rest = rest.dropFirst(taken)
        received = preface
      }
      #expect(received == sent)
      #expect(Array(rest) == Array("PRI *".utf8), "nothing of what follows the preface is taken")
    }
  }

  @Test func `Unknown bytes at the end of a preface are ignored`() throws {
    var bytes = Preface(role: .inbound, attachment: Self.attachment, secret: Self.secret).bytes
    bytes[8] += 3
    var parser = PrefaceParser()
    let (taken, preface) = try parser.preface(from: bytes + [1, 2, 3])
    #expect(taken == bytes.count + 3)
    #expect(preface == Preface(role: .inbound, attachment: Self.attachment, secret: Self.secret))
  }

  struct Malformed: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var error: PrefaceError
  }

  @Test(arguments: [
    Malformed(testDescription: "HTTP", bytes: Array("GET / HTTP/1.1".utf8), error: .notOurs),
    Malformed(testDescription: "other case", bytes: Array("Devrun".utf8), error: .notOurs),
    Malformed(testDescription: "another version", bytes: Array("devrun".utf8) + [9, 0, 1, 1], error: .version(9)),
    Malformed(testDescription: "no body", bytes: Array("devrun".utf8) + [1, 0, 0], error: .malformed),
    Malformed(testDescription: "too long", bytes: Array("devrun".utf8) + [1, 0xff, 0xff], error: .malformed),
    Malformed(testDescription: "too short", bytes: Array("devrun".utf8) + [1, 0, 2, 1, 1], error: .malformed),
    Malformed(
      testDescription: "no such role", bytes: Array("devrun".utf8) + [1, 0, 49, 7] + [UInt8](repeating: 0, count: 48),
      error: .malformed),
  ])
  func `Bytes that cannot be a preface are refused as early as possible`(input: Malformed) {
    var parser = PrefaceParser()
    #expect(throws: input.error) { try parser.preface(from: input.bytes) }
  }

  @Test(arguments: [
    PrefaceAnswer.accepted(version: 1), .accepted(version: 2),
    .refused(version: 1, code: PrefaceRefusal.wrongSecret.rawValue, text: "nein – so nicht"),
    .refused(version: 3, code: 200, text: ""),
  ])
  func `The answer to a preface is read as it was written, whatever its version`(sent: PrefaceAnswer) throws {
    var parser = PrefaceParser()
    let (taken, received) = try parser.answer(from: sent.bytes)
    #expect(received == sent)
    #expect(taken == sent.bytes.count)
  }

  @Test func `A very long reason for a refusal is cut off, not rejected`() throws {
    let sent = PrefaceAnswer.refused(version: 1, code: 3, text: String(repeating: "x", count: 10_000))
    var parser = PrefaceParser()
    let (_, received) = try parser.answer(from: sent.bytes)
    guard case .refused(1, 3, let text) = received else {
      Issue.record("the answer was not read")
      return
    }
    #expect(text.count == 511)
  }

  @Test func `The digest of a secret is its SHA-256 and matches only that secret`() throws {
    let digest = SecretDigest(of: Array("abc".utf8))
    // The example of FIPS 180-4.
    #expect(digest.hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SecretDigest(hexadecimal: digest.hexadecimal.uppercased()) == digest)
    #expect(digest.matches(Array("abc".utf8)))
    #expect(!digest.matches(Array("abd".utf8)))
    #expect(!digest.matches([]))
  }

  @Test(arguments: ["", "ba78", String(repeating: "g", count: 64), String(repeating: "a", count: 65)])
  func `A digest that is not 64 hexadecimal digits is refused`(text: String) {
    #expect(SecretDigest(hexadecimal: text) == nil)
  }
}
