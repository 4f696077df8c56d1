internal import DevrunConfig

/// The words that users type to restore a workload: they name the cluster as this run does, so that they mean the same
/// workload wherever they are typed.
public struct RestoreCommandLine: Sendable, Hashable {
  /// The namespace.
  package var namespace: String
  /// The context that the user named; `nil` for the kubeconfig's current one.
  package var context: String?
  /// The kubeconfig file that the user named; `nil` for the usual one.
  package var kubeconfig: String?

  /// The command lines for a namespace of a cluster.
  public init(namespace: String, context: String? = nil, kubeconfig: String? = nil) {
    self.namespace = namespace
    self.context = context
    self.kubeconfig = kubeconfig
  }

  /// The command line of a restore, for messages.
  ///
  /// - Parameter workload: what to restore, as `deployment/NAME`; `nil` for everything in the namespace.
  public func text(of workload: String? = nil) -> String {
    var words = ["devrun", "restore", "-n", namespace]
    if let context { words += ["--context", context] }
    if let kubeconfig { words += ["--kubeconfig", kubeconfig] }
    words.append(workload ?? "--all")
    return words.map { String(decoding: ShellQuoting.quoted(Array($0.utf8)), as: UTF8.self) }.joined(separator: " ")
  }
}
