import Testing

/// devrun against a real cluster, as an ordinary user of it.
///
/// Runs where `DEVRUN_E2E=1` (`make e2e`) on the cluster that KUBECONFIG names, whose administrator it needs to be; see
/// `Settings` for the other variables. Each lane has its own workload `myapp1`, which its sessions share one after the
/// other. There are as many lanes as two cores can keep up with.
@Suite("End to end", .enabled(if: Settings.isAskedFor, "a cluster is needed: make e2e"))
enum EndToEnd {
  /// What can be a target, and what keeps a session from beginning.
  @Suite(.serialized, .lane()) enum Beginnings {}
  /// A whole run.
  @Suite(.serialized, .lane(replicas: 2)) enum Runs {}
  /// How sessions end, and the programs that end them.
  @Suite(.serialized, .lane()) enum Endings {}
  /// What is the same within a session as in the container: connections, environment, files.
  @Suite(.serialized, .lane(replicas: 2)) enum Insides {}
  /// What others do to the target meanwhile.
  @Suite(.serialized, .lane()) enum Company {}
}
