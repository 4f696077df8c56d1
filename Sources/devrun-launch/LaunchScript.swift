public import DevrunCore
public import DevrunLauncher
public import DevrunPlan

/// A launch without a cluster, as the launcher's tests use it.
public struct LaunchScript: Codable, Sendable {
  /// What is launched. Its isolation is replaced by the one that the choice leads to.
  public var plan: LaunchPlan
  /// How the child's own view of files is to be made.
  public var isolation = IsolationChoice.automatic
  /// What answers in the place of the cluster.
  public var routes: [Route] = []
  /// What of the kernel is used.
  public var features = KernelFeatures.all
  /// How long a child whose front was killed may take after SIGTERM.
  public var graceMilliseconds = 2_000
  /// Whether the session outlives the child until its last descendant has ended.
  public var waitsForDescendants = false
  /// A FIFO: the launch waits until somebody has opened and closed it for writing, as it would wait for a cluster.
  public var launchAfter: String?
  /// A FIFO: the end waits, when the command is over, until somebody has opened and closed it for writing, as it would wait
  /// for a cluster that is put back.
  public var finishAfter: String?
  /// Whether an interruption ends devrun at once.
  public var givesUp = false
  /// The path of `devrun-exec`.
  public var helper: RawString?
  /// A file that the isolation is written to once the child runs, and a line for each interruption and each event of a
  /// listener.
  public var log: String?

  /// Launches the plan.
  public init(plan: LaunchPlan) { self.plan = plan }

  /// What becomes of connects to a network.
  public struct Route: Codable, Sendable {
    /// The network, as `ADDRESS/LENGTH`.
    public var network: String
    /// Only this port; `nil`: all of them.
    public var port: UInt16?
    /// Where sockets are connected to.
    public var acceptor: IPEndpoint?
    /// What the far end answers; 0: it is connected; `nil`: nothing, ever.
    public var errno: Int32?
    /// How long the far end takes.
    public var delayMilliseconds: Int
    /// How long the listener takes that sockets are connected to.
    public var acceptorDelayMilliseconds: Int

    /// A route of the network.
    public init(
      _ network: String, port: UInt16? = nil, acceptor: IPEndpoint? = nil, errno: Int32? = 0,
      delayMilliseconds: Int = 0, acceptorDelayMilliseconds: Int = 0
    ) {
      self.network = network
      self.port = port
      self.acceptor = acceptor
      self.errno = errno
      self.delayMilliseconds = delayMilliseconds
      self.acceptorDelayMilliseconds = acceptorDelayMilliseconds
    }
  }
}
