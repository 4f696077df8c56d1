public import DevrunCore

extension LocalEnvFile {
  /// A file that can be used, but perhaps not as it was meant.
  public enum Warning: Sendable, Hashable, CustomStringConvertible {
    /// A name is assigned twice; the assignment at `overridden` does not count.
    case assignedAgain(name: RawString, position: TextPosition, overridden: TextPosition)
    /// `${env.NAME}` stands in a file that assigns NAME at `assigned`, which the token does not see.
    case assignmentNotSeen(name: RawString, position: TextPosition, assigned: TextPosition)
    /// An entry of `volumeMounts` that nothing uses has a name that no volume can have.
    case unusableVolume(name: String, position: TextPosition)
    /// A text looks like a token of the other file's syntax, and stands for itself here.
    case foreignToken(String, position: TextPosition, instead: String)

    /// The warning in one line.
    public var description: String {
      switch self {
      case .assignedAgain(let name, let position, let overridden):
        "\(position): \(name) is assigned again; its value of line \(overridden.mark?.line ?? 0) is not used"
      case .assignmentNotSeen(let name, let position, let assigned):
        "\(position): ${env.\(name)} is the value of the container or of this shell, not that of line"
          + " \(assigned.mark?.line ?? 0)"
      case .unusableVolume(let name, let position):
        "\(position): the entry has no effect, because '\(name)' is no name of a volume: names have lower-case letters,"
          + " digits and '-', here also '*'"
      case .foreignToken(let text, let position, let instead):
        "\(position): '\(text)' stands for itself in this file; write \(instead) if you mean what it means in"
          + " \(text.hasPrefix("$(") ? KubernetesLocalProcessConfig.fileName : AzdsLocalEnv.fileName)"
      }
    }
  }
}
