/// Reads a preface or its answer from bytes that come in pieces of any size.
///
/// It never takes a byte beyond the preface: what follows belongs to HTTP/2.
public struct PrefaceParser: Sendable {
  private var collected: [UInt8] = []

  /// A parser at the start of a connection.
  public init() {}

  /// Takes bytes of `input` from `index` on, which moves to the first byte that was not taken.
  ///
  /// - Returns: the version and the body once they are complete.
  /// - Throws: `PrefaceError` as soon as the bytes cannot become a preface.
  mutating func frame(from input: some RandomAccessCollection<UInt8>) throws(PrefaceError)
    -> (taken: Int, frame: (version: UInt8, body: [UInt8])?)
  {
    var taken = 0
    for byte in input {
      if collected.count < PrefaceFrame.magic.count, byte != PrefaceFrame.magic[collected.count] {
        throw .notOurs
      }
      collected.append(byte)
      taken += 1
      guard collected.count >= PrefaceFrame.headLength else { continue }
      let length = Int(collected[7]) << 8 | Int(collected[8])
      guard length > 0, length <= PrefaceFrame.maximumBody else { throw .malformed }
      if collected.count == PrefaceFrame.headLength + length {
        return (taken, (collected[6], Array(collected[PrefaceFrame.headLength...])))
      }
    }
    return (taken, nil)
  }

  /// Takes bytes of devrun's preface, as the agent sees them.
  ///
  /// - Returns: how many bytes were taken, and the preface once it is complete.
  /// - Throws: `PrefaceError` as soon as the bytes cannot become a preface of this version.
  public mutating func preface(from input: some RandomAccessCollection<UInt8>) throws(PrefaceError)
    -> (taken: Int, preface: Preface?)
  {
    let (taken, frame) = try frame(from: input)
    guard let frame else { return (taken, nil) }
    guard frame.version == Preface.currentVersion else { throw .version(frame.version) }
    let secretStart = 1 + Preface.attachmentLength
    guard frame.body.count >= secretStart + Preface.secretLength, let role = ConnectionRole(rawValue: frame.body[0])
    else { throw .malformed }
    return (
      taken,
      Preface(
        role: role, attachment: Array(frame.body[1..<secretStart]),
        secret: Array(frame.body[secretStart..<(secretStart + Preface.secretLength)]))
    )
  }

  /// Takes bytes of the agent's answer, as devrun sees them. An agent of another version answers too.
  ///
  /// - Returns: how many bytes were taken, and the answer once it is complete.
  /// - Throws: `PrefaceError` as soon as the bytes cannot become an answer.
  public mutating func answer(from input: some RandomAccessCollection<UInt8>) throws(PrefaceError)
    -> (taken: Int, answer: PrefaceAnswer?)
  {
    let (taken, frame) = try frame(from: input)
    guard let frame else { return (taken, nil) }
    guard frame.body[0] != 0 else { return (taken, .accepted(version: frame.version)) }
    let text = String(decoding: frame.body.dropFirst(), as: UTF8.self)
    return (taken, .refused(version: frame.version, code: frame.body[0], text: text))
  }
}
