public import DevrunCore
public import DevrunSystem

/// How an environment is printed for other programs to read.
///
/// Names and values are bytes, and each format keeps them as far as it can:
///
/// - `dotenv` keeps every byte of a value. `AzdsLocalEnv` reads it back as it was.
/// - `shell` keeps every byte of a value, for bash, zsh, ksh and every other shell that has `$'...'` (POSIX.1-2024).
/// - `json` is text: a byte that belongs to no character of UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, as in
///   Python (PEP 383). So Python can restore the bytes (`os.fsencode`); other readers show U+FFFD.
///
/// A name that the format has no way to write is left out (`Text.omitted`): bash's exported functions (`BASH_FUNC_x%%`)
/// in `dotenv` and `shell`, names with `.` or `-` in `shell`.
public enum EnvironmentFormat: String, Sendable, Hashable, CaseIterable {
  /// `NAME=VALUE` lines, as `azds-local.env` has them.
  case dotenv
  /// One object, a member for each variable.
  case json
  /// `export NAME=VALUE` lines, to be evaluated.
  case shell

  /// What a masked value is shown as.
  public static let mask: RawString = "***"

  /// An environment as text.
  public struct Text: Sendable, Hashable {
    /// The text, with a line feed at its end unless there is nothing to print.
    public var bytes: [UInt8]
    /// The names that the format has no way to write.
    public var omitted: [RawString]
  }

  /// The environment as text, in its order.
  ///
  /// - Parameters:
  ///   - environment: the variables; neither a name nor a value may hold a NUL.
  ///   - masked: the names whose values are shown as `***`.
  public func text(of environment: EnvironmentVariables, masking masked: Set<RawString> = []) -> Text {
    var lines: [[UInt8]] = []
    var omitted: [RawString] = []
    for variable in environment {
      let value = masked.contains(variable.name) ? Self.mask : variable.value
      if canWrite(variable.name) {
        lines.append(line(name: variable.name.bytes, value: value.bytes))
      } else {
        omitted.append(variable.name)
      }
    }
    return Text(bytes: joined(lines), omitted: omitted)
  }

  private func canWrite(_ name: RawString) -> Bool {
    switch self {
    case .dotenv: DotenvName.isValid(name.bytes)
    case .shell:
      DotenvName.isValid(name.bytes) && !name.bytes.contains(UInt8(ascii: "."))
        && !name.bytes.contains(UInt8(ascii: "-"))
    case .json: true
    }
  }

  private func line(name: [UInt8], value: [UInt8]) -> [UInt8] {
    switch self {
    case .dotenv: name + [UInt8(ascii: "=")] + DotenvQuoting.quoted(value)
    case .shell: Array("export ".utf8) + name + [UInt8(ascii: "=")] + ShellQuoting.quoted(value)
    case .json: Array("  ".utf8) + JSONQuoting.quoted(name) + Array(": ".utf8) + JSONQuoting.quoted(value)
    }
  }

  private func joined(_ lines: [[UInt8]]) -> [UInt8] {
    switch self {
    case .dotenv, .shell: lines.flatMap { $0 + [UInt8(ascii: "\n")] }
    case .json where lines.isEmpty: Array("{}\n".utf8)
    case .json: Array("{\n".utf8) + lines.joined(separator: ",\n".utf8) + Array("\n}\n".utf8)
    }
  }
}
