import DevrunCore
import DevrunSystem
import Glibc

/// The command's words in this process's command line, which one of the witnesses shows as well.
///
/// Who searches for words of a command line and signals what is found (`pkill -f`) finds this process and that witness by
/// them. The command is found, too, as long as it shows the same words: a script that has executed another program does not.
struct CommandWords {
  private typealias Words = ArraySlice<ArraySlice<UInt8>>

  /// The words after the first `--`; none where there is no `--`, and then neither witness shows any.
  private let words: Words

  /// Those of this process.
  init() {
    let all = Self.commandLine(of: "self") ?? []
    words = all.firstIndex { $0.elementsEqual("--".utf8) }.map { all[($0 + 1)...] } ?? []
  }

  /// Whether a process shows the words, after an interpreter's where it is a script. `nil`: it is ending or gone.
  func areShown(by process: pid_t) -> Bool? {
    guard let status = ProcessStatus(of: process), !status.isEnding, let line = Self.commandLine(of: "\(process)")
    else {
      return nil
    }
    guard let name = words.first else { return true }
    let arguments = words.dropFirst()
    guard line.count > arguments.count, line.suffix(arguments.count).elementsEqual(arguments) else { return false }
    return line.dropLast(arguments.count).contains { Self.lastPart(of: $0).elementsEqual(Self.lastPart(of: name)) }
  }

  private static func commandLine(of process: String) -> Words? {
    guard let text = try? Descriptor.open(RawString("/proc/\(process)/cmdline"), O_RDONLY).readToEnd() else {
      return nil
    }
    return text.split(separator: 0, omittingEmptySubsequences: false).dropLast()
  }

  /// What follows the last slash.
  private static func lastPart(of word: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    word.lastIndex(of: UInt8(ascii: "/")).map { word[($0 + 1)...] } ?? word
  }
}
