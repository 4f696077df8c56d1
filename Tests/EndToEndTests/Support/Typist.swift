import Testing

/// A person at the terminal of a process: types, and reads on from where the last thing awaited was.
final class Typist {
  let process: ChildProcess
  private var read = 0

  init(_ process: ChildProcess) { self.process = process }

  /// Awaits that the terminal shows the text, after what was awaited before.
  func sees(_ text: String, within limit: Duration = .seconds(60)) async throws {
    let (process, start) = (process, read)
    read = try await within(limit, "'\(text)' on the terminal, which shows:\n\(process.output.text)") {
      try await process.output.contains(text, after: start)
    }
  }

  /// Types a line and awaits what the terminal shows then.
  ///
  /// - Parameter again: whether it is typed again when nothing comes of it: debuggers hand the terminal to the program that
  ///   they run and take it back at moments that nobody sees, and what is typed then goes to that program.
  func types(_ line: String, sees text: String, again: Bool = false) async throws {
    for _ in 0..<(again ? 5 : 0) {
      try process.write(line + "\n")
      if (try? await sees(text, within: .seconds(10))) != nil { return }
    }
    try process.write(line + "\n")
    try await sees(text)
  }

  /// Types a control character, as `^C` or `^Z`.
  func types(control letter: Character) throws {
    guard let code = letter.asciiValue else { throw Failure("there is no Ctrl-\(letter)") }
    try process.write(String(UnicodeScalar(code & 0x1f)))
  }
}
