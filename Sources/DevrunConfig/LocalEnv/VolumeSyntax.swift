internal import DevrunCore

/// How a token names a volume: what `azds-local.env` and `KubernetesLocalProcessConfig.yaml` have in common.
enum VolumeSyntax {
  /// The name of a volume, perhaps with `*`.
  static func name(_ text: String) throws(LocalEnvError.Reason) -> Wildcard {
    guard !text.isEmpty, text.utf8.allSatisfy({ DNSName.isLabelLetter($0) || $0 == UInt8(ascii: "*") }) else {
      throw .invalidVolumeName(text)
    }
    return Wildcard(text)
  }

  /// An absolute path other than `/`, with single slashes.
  static func mountPath(_ text: String) throws(LocalEnvError.Reason) -> String {
    guard !isWindowsPath(text) else { throw .windowsPath(text) }
    let names = text.split(separator: "/")
    guard text.hasPrefix("/"), !names.isEmpty, !names.contains("."), !names.contains(".."), !text.contains("\0") else {
      throw .invalidMountPath(text)
    }
    return names.map { "/\($0)" }.joined()
  }

  /// Whether the path is like `C:\data`, `c:/data`, `\\server\data` or `.\data`.
  static func isWindowsPath(_ path: String) -> Bool {
    let letters = Array(path.prefix(4))
    let hasDrive = letters.count > 1 && letters[0].isASCII && letters[0].isLetter && letters[1] == ":"
    return hasDrive || path.hasPrefix("\\") || path.hasPrefix(".\\") || path.hasPrefix("..\\")
  }
}
