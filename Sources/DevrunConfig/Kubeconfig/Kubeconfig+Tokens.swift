// Writes renewed tokens back to the kubeconfig that holds them.
//
// An issuer may replace a refresh token each time it is used. The one in the file is then good no more, and would lock
// out kubectl. Therefore the new tokens take the place of the old ones, and all else in the file stays as it is.
//
// kubectl and other programs that are made with client-go make FILE.lock, which must not exist, before they write to
// FILE. The lock is made here as well. The new text is written to a file beside the old one, which then takes its
// place, so that nobody reads half a kubeconfig.

internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Why tokens could not be written to a kubeconfig.
public enum TokenWriteError: Error, Sendable, Hashable {
  /// Another program is writing to the file, or has left its lock behind.
  case locked(path: String)
  /// The old tokens do not stand in the file, or not in a form in which they can be replaced.
  case notFound
  /// The file cannot be replaced.
  case notPossible(String)

  /// The cause in words.
  public var words: String {
    switch self {
    case .locked(let path): "the lock \(path) exists, which a program that writes to the file makes"
    case .notFound: "the old tokens do not stand in it, or not in a form in which they can be replaced"
    case .notPossible(let words): words
    }
  }
}

extension Kubeconfig {
  /// Puts renewed tokens in the place of the old ones in the kubeconfig that holds those.
  ///
  /// - Parameters:
  ///   - old: the tokens that were read from the file. A token that it does not have is not added.
  ///   - new: the tokens that take their place.
  public static func replace(_ old: Credentials.IDToken, with new: Credentials.IDToken) throws(TokenWriteError) {
    guard let refresh = old.refresh else { return }
    let pairs = [(old.token, new.token), (refresh.refreshToken, new.refresh?.refreshToken ?? "")]
    let changes = pairs.filter { !$0.isEmpty && !$1.isEmpty && $0 != $1 }.map { TokenRewrite.Change(old: $0, new: $1) }
    if changes.isEmpty { return }
    try withLock(refresh.kubeconfig) { () throws(TokenWriteError) in
      let isReplaced: Bool
      do throws(Errno) {
        isReplaced = try FileReplacement.replace(refresh.kubeconfig) { TokenRewrite.apply(changes, to: $0) }
      } catch {
        throw .notPossible(error.description)
      }
      guard isReplaced else { throw .notFound }
    }
  }

  private static func withLock(
    _ path: String, _ body: () throws(TokenWriteError) -> Void
  ) throws(TokenWriteError) {
    let lock = path + ".lock"
    do throws(Errno) {
      try Descriptor.open(RawString(lock), O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).close()
    } catch {
      throw error == .exists
        ? .locked(path: lock) : .notPossible("the lock \(lock) cannot be made: \(error.description)")
    }
    defer { unlink(lock) }
    try body()
  }
}
