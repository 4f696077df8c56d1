import Testing

/// devrun against a real cluster, as an ordinary user of it.
///
/// Runs where `DEVRUN_E2E=1` (`make e2e`) on the cluster that KUBECONFIG names, whose administrator it needs to be; see
/// `Settings` for the other variables. Serialized, since the sessions share the workload `myapp1`.
@Suite("End to end", .serialized, .enabled(if: Settings.isAskedFor, "needs a cluster: make e2e"), .cluster)
enum EndToEnd {}
