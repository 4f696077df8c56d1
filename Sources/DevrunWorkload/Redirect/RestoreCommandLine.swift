/// The words that users type to restore a workload.
package enum RestoreCommandLine {
  /// The command line of a restore, for messages.
  ///
  /// - Parameters:
  ///   - workload: what to restore, as `deployment/NAME`; `nil` for everything in the namespace.
  ///   - namespace: the namespace.
  package static func text(of workload: String? = nil, in namespace: String) -> String {
    "devrun restore -n \(namespace) \(workload ?? "--all")"
  }
}
