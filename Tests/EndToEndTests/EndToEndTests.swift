import Testing

/// devrun against a real cluster, as an ordinary user of it.
///
/// Runs where `DEVRUN_E2E=1` (`make e2e`) on the cluster that KUBECONFIG names, whose administrator it needs to be; see
/// `Settings` for the other variables. Each lane has its own workload `myapp1`, which its sessions share one after the
/// other.
@Suite("End to end", .enabled(if: Settings.isAskedFor, "needs a cluster: make e2e"))
enum EndToEnd {
  /// What can be a target, and what keeps a session from beginning.
  @Suite(.serialized, .lane) enum Beginnings {}
  /// A whole run.
  @Suite(.serialized, .lane) enum Runs {}
  /// How sessions end.
  @Suite(.serialized, .lane) enum Endings {}
  /// What is the same within a session as in the container: connections, environment.
  @Suite(.serialized, .lane) enum Insides {}
  /// What files a session has.
  @Suite(.serialized, .lane) enum Files {}
  /// Programs that people wrap.
  @Suite(.serialized, .lane) enum Wrapped {}
  /// What disturbs all other sessions of the cluster.
  @Suite(.serialized, .lane) enum Disturbances {}
}
